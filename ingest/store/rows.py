"""Detections as the flat rows of a table, and times as whole microseconds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from contract import Detection, Event
from ingest.store.port import Received

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def each_once(items: Iterable[Received]) -> list[Event]:
    """Take each event once, where one came twice in a batch."""
    return list({item.record.event_id: item.record for item in items if isinstance(item.record, Event)}.values())


def event_row(item: Received) -> dict[str, object]:
    """Make the row of an event."""
    event = item.record
    assert isinstance(event, Event)  # noqa: S101, the caller has sorted them
    return {
        "event_id": event.event_id,
        "station": event.station,
        "captured_us": microseconds(event.captured_at),
        "received_us": microseconds(item.received_at),
        "payload": item.payload.decode(errors="replace"),
    }


def detection_rows(event: Event) -> list[dict[str, object]]:
    """Make a row for each detection, or one that says there was none.

    The surest of each kind leads: by these, captures are counted and not animals.
    """
    place = {"event_id": event.event_id, "station": event.station, "captured_us": microseconds(event.captured_at)}
    leading: dict[tuple[str, str], Detection] = {}
    for detection in event.detections:
        first = leading.setdefault((_taxon(detection), detection.observation_type), detection)
        if (-detection.confidence, detection.ordinal) < (-first.confidence, first.ordinal):
            leading[_taxon(detection), detection.observation_type] = detection
    found: list[dict[str, object]] = [
        place
        | {
            "ordinal": detection.ordinal,
            "taxon": _taxon(detection),
            "observation_type": detection.observation_type,
            "confidence": detection.confidence,
            "model": detection.model,
            "leads": leading[_taxon(detection), detection.observation_type] is detection,
        }
        for detection in event.detections
    ]
    blank = {"ordinal": 0, "taxon": "blank", "observation_type": "blank", "confidence": None, "model": None}
    return found or [place | blank | {"leads": False}]


def _taxon(detection: Detection) -> str:
    return detection.scientific_name or detection.label


def microseconds(moment: datetime) -> int:
    """Count from 1970, UTC: whole numbers compare the same everywhere."""
    return (moment - EPOCH) // MICROSECOND


def json_of(rows: Iterable[dict[str, object]]) -> str:
    """Write rows as one JSON text, which DuckDB reads in one go."""
    return msgspec.json.encode(list(rows)).decode()
