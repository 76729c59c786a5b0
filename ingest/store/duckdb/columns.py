"""Conversion of records to NumPy columns, which DuckDB reads in place, without writing or parsing text."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contract import Detection, Event
from ingest.store.microseconds import microseconds
from ingest.store.port import Received

Columns = Mapping[str, NDArray[Any]]
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


def event_columns(items: Iterable[Received]) -> Columns:
    """Return events as columns of the DuckDB table ``event``."""
    rows = [
        (
            item.record.event_id,
            item.record.station,
            microseconds(item.record.captured_at),
            microseconds(item.received_at),
            item.payload.decode(errors="replace"),
        )
        for item in items
        if isinstance(item.record, Event)
    ]
    return _to_columns(
        rows, {"event_id": _TEXT, "station": _TEXT, "captured_us": _INTEGER, "received_us": _INTEGER, "payload": _TEXT}
    )


def detection_columns(items: Sequence[Received], event_ids: Collection[str]) -> Columns:
    """Return the machine detections of events as columns, with one "blank" row for an event without detections.

    The most confident detection of each taxon in an event has ``leads`` set; counting these counts events.
    """
    # Of two events with one id, the first is kept, as in the table of events.
    events = {item.record.event_id: item.record for item in reversed(items) if isinstance(item.record, Event)}
    rows: list[tuple[Any, ...]] = []
    for event_id in event_ids:
        event, leading = events[event_id], _leading(events[event_id])
        captured_us = microseconds(event.captured_at)
        rows += [
            (
                event_id,
                one.ordinal,
                event.station,
                captured_us,
                _taxon(one),
                one.observation_type,
                one.confidence,
                one.model,
                leading[_taxon(one), one.observation_type] is one,
            )
            for one in event.detections
        ] or [(event_id, 0, event.station, captured_us, "blank", "blank", np.nan, None, False)]
    kinds = {"event_id": _TEXT, "ordinal": _INTEGER, "station": _TEXT, "captured_us": _INTEGER, "taxon": _TEXT}
    kinds |= {"observation_type": _TEXT, "confidence": _FLOAT, "model": _TEXT, "leads": np.dtype(np.bool_)}
    return _to_columns(rows, kinds)


def _leading(event: Event) -> dict[tuple[str, str], Detection]:
    leading: dict[tuple[str, str], Detection] = {}
    for one in event.detections:
        first = leading.setdefault((_taxon(one), one.observation_type), one)
        if (-one.confidence, one.ordinal) < (-first.confidence, first.ordinal):
            leading[_taxon(one), one.observation_type] = one
    return leading


def _taxon(detection: Detection) -> str:
    return detection.scientific_name or detection.label


def _to_columns(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, Any]) -> Columns:
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return {name: np.array(column, kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
