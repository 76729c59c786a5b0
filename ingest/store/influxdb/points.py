"""Layout of records as InfluxDB points: tags, fields and timestamps of each measurement.

InfluxDB identifies a point by measurement, tags and time; an equal one overwrites it.
docs/explanation/influxdb-layout.md describes the layout.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from casebook.verdicts import Verdict
from contract import Detection, Effort, Event, Health, Status
from ingest.store.influxdb.line_protocol import Value, json_field, line, tag_text, to_tag
from ingest.store.microseconds import microseconds
from ingest.store.port import Received
from ingest.store.taxon_key import taxon_key

MILLISECOND_NS = 1_000_000
SPREAD = 990_000  # a hash selects one of these nanoseconds of a millisecond; the rest is reserved for collisions

# InfluxDB's times are 64-bit nanoseconds: 1677 to 2262. Other times, from wrong clocks, are clamped to these limits.
FIRST_NS = microseconds(datetime(1678, 1, 1, tzinfo=UTC)) * 1000
LAST_NS = microseconds(datetime(2262, 1, 1, tzinfo=UTC)) * 1000

_YEAR_2000_MS = 946_684_800_000
_YEAR_2200_MS = 7_258_118_400_000
_WEEK_NS = 7 * 86_400 * 1_000 * MILLISECOND_NS


def event_time(event: Event, listed_us: int) -> int:
    """Return the preferred timestamp of an event's point, in the millisecond under which the event is listed.

    A hash of the event id selects the nanosecond.

    Camera clocks have a resolution of one second, so events of a burst share a time; the exact time is in a field.
    """
    return clamp_ns(listed_us) + _hash(event.event_id) % SPREAD


def id_time(event_id: str) -> int:
    """Return the preferred timestamp of an event's point in ``event_index``, in the millisecond of the UUIDv7 id.

    Ids without a time, or with an implausible one, are spread over one week of the year 2000.
    """
    millisecond = _millisecond(event_id)
    if millisecond is None:
        return _YEAR_2000_MS * MILLISECOND_NS + _hash(event_id) % _WEEK_NS
    return millisecond * MILLISECOND_NS + _hash(event_id) % SPREAD


def verdict_time(verdict: Verdict) -> int:
    """Return the preferred timestamp of a verdict's point, in the millisecond of the event's UUIDv7 id.

    It differs from the event's own timestamp: otherwise two concurrent verdicts would both take the next free one.
    """
    return verdict_base_time(verdict.event_id) + _hash(verdict_id(verdict)) % SPREAD


def verdict_base_time(event_id: str) -> int:
    """Return the start of the millisecond that contains the points of all verdicts on an event."""
    millisecond = _millisecond(event_id)
    return id_time(event_id) // MILLISECOND_NS * MILLISECOND_NS if millisecond is None else millisecond * MILLISECOND_NS


def clamp_ns(time_us: int) -> int:
    """Convert microseconds since 1970 to nanoseconds, rounded down to a millisecond, within InfluxDB's range."""
    return min(max(time_us // 1000 * MILLISECOND_NS, FIRST_NS), LAST_NS)


def event_line(item: Received, event: Event, at_ns: int, listed_us: int) -> bytes:
    """Return the line-protocol line of an event, with its original payload and the time under which it is listed."""
    tags = tag_text((("station", event.station), ("sensor", event.sensor)))
    before = (
        f"event{tags} captured_us={microseconds(event.captured_at)}i,"
        f'event_id="{event.event_id}",listed_us={listed_us}i,'
        f"received_us={microseconds(item.received_at)}i,payload="
    )
    return b"%b%b %d" % (before.encode(), json_field(item.payload), at_ns)


def index_line(event: Event, at_ns: int, index_ns: int) -> bytes:
    """Return the line-protocol line of an index point, which contains the timestamp of an event's point.

    The index point is written after all other points of the event, so an indexed event is complete.
    """
    return f'event_index at_ns={at_ns}i,event_id="{event.event_id}",station="{event.station}" {index_ns}'.encode()


def receipt_line(event: Event, listed_us: int, at_ns: int) -> bytes:
    """Return the line-protocol line that records under which time an event is listed, before the event is written.

    Only for an event that is not listed by its capture time: a redelivery after a crash then finds the same time.
    """
    return f'event_receipt event_id="{event.event_id}",listed_us={listed_us}i {at_ns}'.encode()


def verdict_id(verdict: Verdict) -> str:
    """Return a unique id of a verdict: event id, ordinal and position in the order of verdicts."""
    return f"{verdict.event_id}/{verdict.ordinal}/{verdict.order}"


def verdict_line(verdict: Verdict, at_ns: int) -> bytes:
    """Return the line-protocol line of a verdict."""
    fields: dict[str, Value] = {
        "verdict_id": verdict_id(verdict),
        "event_id": verdict.event_id,
        "ordinal": verdict.ordinal,
        "outcome": verdict.outcome,
        "taxon": to_tag(taxon_key(verdict.label, verdict.scientific_name, verdict.observation_type)),
        "observation_type": verdict.observation_type,
        "classified_by": verdict.classified_by,
        "decided_us": microseconds(verdict.decided_at),
        "sequence": verdict.order,
    }
    return line("verdict", {}, fields, at_ns)


def box_and_span(detection: Detection) -> dict[str, Value]:
    """Return the fields with a detection's position: its box in the picture or its span in the sound."""
    box, span = detection.box, detection.span
    fields: dict[str, Value] = {}
    if box is not None:
        fields |= {"box_x": box.x, "box_y": box.y, "box_width": box.width, "box_height": box.height}
    if span is not None:
        fields |= {"start_s": span.start_s, "end_s": span.end_s, "low_hz": span.low_hz, "high_hz": span.high_hz}
    return {name: None if value is None else float(value) for name, value in fields.items()}


def health_line(item: Received, health: Health, at_ns: int) -> bytes:
    """Return the line-protocol line of a health record."""
    numbers = {
        "uptime_s": health.uptime_s,
        "disk_free_bytes": health.disk_free_bytes,
        "memory_free_bytes": health.memory_free_bytes,
        "waiting_messages": health.waiting_messages,
        "set_aside": health.set_aside,
        "evicted_media": health.evicted_media,
        "evicted_originals": health.evicted_originals,
        "load_1min": health.load_1min,
        "temperature_c": health.temperature_c,
    }
    fields: dict[str, Value] = {name: None if value is None else float(value) for name, value in numbers.items()}
    fields |= {"health_id": str(microseconds(health.at)), "payload": item.payload.decode(errors="replace")}
    return line("health", {"station": health.station}, fields, at_ns)


def effort_line(item: Received, effort: Effort, at_ns: int) -> bytes:
    """Return the line-protocol line of an effort record."""
    fields: dict[str, Value] = {
        "effort_id": effort.effort_id,
        "start_us": microseconds(effort.start),
        "end_us": microseconds(effort.end),
        "watching_s": seconds(effort.end - effort.start) if effort.watching else 0.0,
        "gap_s": 0.0 if effort.watching else seconds(effort.end - effort.start),
        "captures": effort.captures,
        "payload": item.payload.decode(errors="replace"),
    }
    tags = {"station": effort.station, "sensor": effort.sensor, "gap": effort.gap or "none"}
    return line("effort", tags, fields, at_ns)


def status_line(item: Received, status: Status) -> bytes:
    """Return the line-protocol line of a station's status record, with the time of arrival as the timestamp.

    The time in a last will is that of its registration, not that of the lost connection.
    """
    fields: dict[str, Value] = {
        "online": int(status.state == "online"),
        "payload": item.payload.decode(errors="replace"),
    }
    return line("status", {"station": status.station}, fields, microseconds(item.received_at) * 1000)


def seconds(span: timedelta) -> float:
    """Convert a duration to seconds."""
    return span / timedelta(seconds=1)


def _millisecond(event_id: str) -> int | None:
    """Return the time in a UUIDv7 (RFC 9562, 5.7) as milliseconds since 1970; None if it is absent or implausible."""
    millisecond = int(event_id[:8] + event_id[9:13], 16)
    return millisecond if event_id[14] == "7" and _YEAR_2000_MS < millisecond < _YEAR_2200_MS else None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
