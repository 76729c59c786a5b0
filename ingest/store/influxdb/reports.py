"""Latest reports of stations in InfluxDB: measurement ``latest``, one series for each status, health and deployment.

The last point of a series is the latest report. Its timestamp is the time of receipt, or one nanosecond more than that
of the point before it if the server's clock was set back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from contract import Deployment, Health, Status
from contract.validation import decode_stored
from ingest.store.conflict import conflict_with, conflict_with_payload
from ingest.store.influxdb.conditions import all_of, any_of, integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import Value, from_tag, line
from ingest.store.influxdb.timestamp_allocator import AllocatedTimestamp
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.order import supersedes
from ingest.store.port import Conflict, Received

MEASUREMENT = "latest"
Kind = TypeVar("Kind")
Key = tuple[str, str, str]  # kind, station, and for a deployment its name


@dataclass(frozen=True, slots=True)
class _Latest:
    payload: bytes
    received_at: datetime
    at_ns: int


def latest_lines(link: InfluxConnection, items: Sequence[Received]) -> list[bytes]:
    """Return the line-protocol lines of those new reports that are the latest of their series."""
    reports = [(item, key) for item in items if (key := _key(item)) is not None]
    if not reports:
        return []
    known = _read(link, any_of("station", sorted({station for _, (_, station, _) in reports})))
    lines = []
    for item, key in reports:
        current, record = known.get(key), item.record
        if (
            current is not None
            and isinstance(record, Health | Deployment)
            and not supersedes(item, decode_stored(current.payload, type(record)), current.received_at)
        ):
            continue
        if current is not None and isinstance(record, Status) and current.payload == item.payload:
            continue  # the broker repeats a retained message unchanged, which says nothing new
        received_us = microseconds(item.received_at)
        at_ns = max(received_us * 1000, current.at_ns + 1 if current else 0)
        known[key] = _Latest(item.payload, item.received_at, at_ns)
        tags = dict(zip(("kind", "station", "name"), key, strict=True))
        fields: dict[str, Value] = {"payload": item.payload.decode(errors="replace"), "received_us": received_us}
        lines.append(line(MEASUREMENT, tags, fields, at_ns))
    return lines


def latest_reports(link: InfluxConnection, kind: str) -> Mapping[tuple[str, str], tuple[str, datetime | None]]:
    """Return the payload and the time of receipt of each latest report of one kind, by station and name.

    Databases of older versions have reports without a point in ``latest``; the report with the latest time is then
    returned, with None as the time of receipt.
    """
    names = '"station", "deployment"' if kind == "deployment" else '"station"'
    older = link.query(f'SELECT LAST("payload") AS "last" FROM "{kind}" GROUP BY {names}')
    found: dict[tuple[str, str], tuple[str, datetime | None]] = {
        (from_tag(one.tags["station"]), from_tag(one.tags.get("deployment", ""))): (str(one.rows[0]["last"]), None)
        for one in older
    }
    for (_, station, name), one in _read(link, any_of("kind", [kind])).items():
        found[station, name] = (one.payload.decode(), one.received_at)
    return found


def new_reports(
    found: Sequence[tuple[Received, Kind]],
    places: Sequence[AllocatedTimestamp],
    to_line: Callable[[Received, Kind, int], bytes],
    conflicts: list[Conflict],
) -> list[tuple[Received, bytes]]:
    """Return the records about stations that are not stored yet, with their lines, and add to ``conflicts``.

    Args:
        found: Records of one kind.
        places: Timestamp of each, with the payload of the stored record.
        to_line: Function that returns the line of a record at a timestamp.
        conflicts: List to which conflicts are appended.
    """
    first: dict[tuple[str, int], Received] = {}
    new: list[tuple[Received, bytes]] = []
    for (item, record), place in zip(found, places, strict=True):
        key = (item.record.station, place.time_ns)
        if not place.exists:
            first[key] = item
            new.append((item, to_line(item, record, place.time_ns)))
            continue
        payload = place.row.get("payload")  # None: a partially written point
        conflict = None
        if key in first:
            conflict = conflict_with(item, first[key].record)
        elif payload is not None:
            conflict = conflict_with_payload(item, payload.encode())
        if conflict is not None:
            conflicts.append(conflict)
    return new


def _key(item: Received) -> Key | None:
    match item.record:
        case Status(station=station):
            return ("status", station, "")
        case Health(station=station):
            return ("health", station, "")
        case Deployment(station=station, deployment=name):
            return ("deployment", station, name)
        case _:
            return None


def _read(link: InfluxConnection, conditions: Iterable[str]) -> dict[Key, _Latest]:
    statement = f'SELECT LAST("payload") AS "last", "received_us" FROM "{MEASUREMENT}" WHERE {all_of(conditions)}'
    found = {}
    for one in link.query(f'{statement} GROUP BY "kind", "station", "name"'):
        key = (one.tags["kind"], from_tag(one.tags["station"]), from_tag(one.tags.get("name", "")))
        row = one.rows[0]
        received_at = EPOCH + integer(row["received_us"]) * MICROSECOND
        found[key] = _Latest(str(row["last"]).encode(), received_at, int(row["time"]))
    return found
