"""Conversion of records to NumPy columns, which DuckDB reads in place, without writing or parsing text."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contract import Detection, Event
from contract.messages import ObservationType
from ingest.store.microseconds import microseconds
from ingest.store.order import is_hour_known
from ingest.store.port import Received
from ingest.store.taxon_key import taxon_key

Columns = Mapping[str, NDArray[Any]]
_Taxon = tuple[str, ObservationType]
TEXT, INTEGER, BOOLEAN = np.dtype(object), np.dtype(np.int64), np.dtype(np.bool_)
_FLOAT = np.dtype(np.float64)  # DuckDB reads NaN as NULL


@contextmanager
def as_table(connection: duckdb.DuckDBPyConnection, name: str, columns: Columns) -> Iterator[None]:
    """Register NumPy columns as a DuckDB table with the given name during the ``with`` block."""
    connection.register(name, columns)
    try:
        yield
    finally:
        connection.unregister(name)


def event_columns(items: Iterable[tuple[Event, Received]], listed_us: Mapping[str, int]) -> Columns:
    """Return events as columns of the DuckDB table ``event``; ``listed_us`` has the time of each by event id.

    The column ``blank`` is for events without verdicts.
    """
    rows = [
        (
            event.event_id,
            event.station,
            microseconds(event.captured_at),
            microseconds(item.received_at),
            item.payload.decode(errors="replace"),
            listed_us[event.event_id],
            all(detection.observation_type == "blank" for detection in event.detections),
        )
        for event, item in items
    ]
    kinds = {"event_id": TEXT, "station": TEXT, "captured_us": INTEGER, "received_us": INTEGER, "payload": TEXT}
    return to_columns(rows, kinds | {"listed_us": INTEGER, "blank": BOOLEAN})


def detection_columns(
    events: Mapping[str, tuple[Event, Received]],
    event_ids: Collection[str],
    listed_us: Mapping[str, int],
    corrected: Container[str] = (),
) -> Columns:
    """Return the machine detections of events as columns, with one "blank" row for an event without detections.

    ``listed_us`` has the time of each event by event id, and ``corrected`` the ids of those whose clock was corrected.

    The most confident detection of each taxon in an event has ``leads`` set; counting these counts events.
    """
    rows: list[tuple[Any, ...]] = []
    for event_id in event_ids:
        event = events[event_id][0]
        taxa = [_taxon(one) for one in event.detections]
        by_taxon = _by_taxon(event.detections, taxa)
        captured_us, at_us = microseconds(event.captured_at), listed_us[event_id]
        hour_known = event_id in corrected or is_hour_known(event, at_us)
        rows += [
            (
                event_id,
                one.ordinal,
                event.station,
                captured_us,
                *taxon,
                one.confidence,
                one.model,
                by_taxon[taxon][0] is one,
                at_us,
                hour_known,
                event.sensor,
                by_taxon[taxon][1],
            )
            for one, taxon in zip(event.detections, taxa, strict=True)
        ] or [
            (
                *(event_id, 0, event.station, captured_us, "blank", "blank", np.nan, None, False, at_us),
                *(hour_known, event.sensor, 1),
            )
        ]
    kinds = {"event_id": TEXT, "ordinal": INTEGER, "station": TEXT, "captured_us": INTEGER, "taxon": TEXT}
    kinds |= {"observation_type": TEXT, "confidence": _FLOAT, "model": TEXT, "leads": BOOLEAN}
    kinds |= {"listed_us": INTEGER, "hour_known": BOOLEAN, "sensor": TEXT, "animals": INTEGER}
    return to_columns(rows, kinds)


def _by_taxon(detections: Iterable[Detection], taxa: Iterable[_Taxon]) -> dict[_Taxon, tuple[Detection, int]]:
    """Return the most confident detection of each taxon, and how many detections the taxon has."""
    found: dict[_Taxon, tuple[Detection, int]] = {}
    for one, taxon in zip(detections, taxa, strict=True):
        first, count = found.get(taxon, (one, 0))
        leads = (-one.confidence, one.ordinal) < (-first.confidence, first.ordinal)
        found[taxon] = one if leads else first, count + 1
    return found


def _taxon(detection: Detection) -> _Taxon:
    kind = detection.observation_type
    return taxon_key(detection.label, detection.scientific_name, kind), kind


def to_columns(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, np.dtype[Any]]) -> Columns:
    """Return rows as columns with the given names and types."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return {name: np.array(column, kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
