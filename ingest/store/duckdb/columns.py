"""Conversion of records to NumPy columns, which DuckDB reads in place, without writing or parsing text."""

from collections import Counter
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
_Name = tuple[str, ObservationType]
_TEXT, _INTEGER = np.dtype(object), np.dtype(np.int64)
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
    kinds = {"event_id": _TEXT, "station": _TEXT, "captured_us": _INTEGER, "received_us": _INTEGER, "payload": _TEXT}
    return _to_columns(rows, kinds | {"listed_us": _INTEGER, "blank": np.dtype(np.bool_)})


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
        names = [_name(one) for one in event.detections]
        leading, animals = _leading(event.detections, names), Counter(names)
        captured_us, at_us = microseconds(event.captured_at), listed_us[event_id]
        hour_known = event_id in corrected or is_hour_known(event, at_us)
        rows += [
            (
                event_id,
                one.ordinal,
                event.station,
                captured_us,
                *name,
                one.confidence,
                one.model,
                leading[name] is one,
                at_us,
                hour_known,
                event.sensor,
                animals[name],
            )
            for one, name in zip(event.detections, names, strict=True)
        ] or [
            (
                *(event_id, 0, event.station, captured_us, "blank", "blank", np.nan, None, False, at_us),
                *(hour_known, event.sensor, 1),
            )
        ]
    kinds = {"event_id": _TEXT, "ordinal": _INTEGER, "station": _TEXT, "captured_us": _INTEGER, "taxon": _TEXT}
    kinds |= {"observation_type": _TEXT, "confidence": _FLOAT, "model": _TEXT, "leads": np.dtype(np.bool_)}
    kinds |= {"listed_us": _INTEGER, "hour_known": np.dtype(np.bool_), "sensor": _TEXT, "animals": _INTEGER}
    return _to_columns(rows, kinds)


def _leading(detections: Sequence[Detection], names: Sequence[_Name]) -> dict[_Name, Detection]:
    leading: dict[_Name, Detection] = {}
    for one, name in zip(detections, names, strict=True):
        first = leading.setdefault(name, one)
        if (-one.confidence, one.ordinal) < (-first.confidence, first.ordinal):
            leading[name] = one
    return leading


def _name(detection: Detection) -> _Name:
    """Return the taxon and the type under which a detection counts."""
    kind = detection.observation_type
    return taxon_key(detection.label, detection.scientific_name, kind), kind


def _to_columns(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, Any]) -> Columns:
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return {name: np.array(column, kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
