"""Reading of sensor effort from InfluxDB.

The exact times of an effort record are in the fields of its point.

The timestamp of a point is in the millisecond in which its record starts.
"""

from datetime import datetime

import msgspec

from contract.messages import Gap
from ingest.store.effort import MAX_RECORD_US, EffortMerger, EffortQuery, EffortState, SensorEffort
from ingest.store.influxdb.conditions import all_of, any_of, bounds, integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.influxdb.points import MILLISECOND_NS, clamp_ns
from ingest.store.microseconds import DAY_US, microseconds

_PAGE = 40_000  # records an answer, about; some 4 MB
_DAY_NS = DAY_US * 1000
_FIRST_SPAN_NS, _LONGEST_SPAN_NS = 30 * _DAY_NS, 120 * _DAY_NS  # limits an answer where records become more frequent
# Records that begin so long before the period are read only if they are long; stations write one an hour or a day.
_BEFORE_US = 3 * DAY_US
_LONG_S = _BEFORE_US // 1_000_000 - 1


class _Record(msgspec.Struct, gc=False):
    """The fields of ``contract.Effort`` that a timeline needs."""

    station: str
    sensor: str
    start: datetime
    end: datetime
    gap: Gap | None = None


_record = msgspec.json.Decoder(_Record)


def effort(link: InfluxConnection, query: EffortQuery) -> list[SensorEffort]:
    """Return the effort timelines of sensors; see ``Store.effort``."""
    sensors = any_of("station", query.stations) + any_of("sensor", query.sensors)
    _, before_ns = bounds(query.start, query.end)
    start_us = microseconds(query.start)
    short_ns, earliest_ns = clamp_ns(start_us - _BEFORE_US), clamp_ns(start_us - MAX_RECORD_US)
    long = f'("watching_s" >= {_LONG_S} OR "gap_s" >= {_LONG_S})'
    merger = EffortMerger(query)
    _read(link, merger, earliest_ns, short_ns, [*sensors, long], MAX_RECORD_US * 1000)  # few
    _read(link, merger, short_ns, before_ns, sensors, _FIRST_SPAN_NS)
    return merger.merged()


def _read(
    link: InfluxConnection, merger: EffortMerger, start_ns: int, before_ns: int, conditions: list[str], span_ns: int
) -> None:
    """Add effort records to the merger, in consecutive queries that each return about ``_PAGE`` records."""
    while start_ns < before_ns:
        end_ns = min(start_ns + span_ns, before_ns)
        rows = _read_span(link, merger, all_of([f"time >= {start_ns}", f"time < {end_ns}", *conditions]))
        if not rows:
            end_ns, span_ns = _next_record(link, end_ns, before_ns, conditions), _FIRST_SPAN_NS
        elif rows > _PAGE:
            span_ns = max(span_ns // 2, MILLISECOND_NS)
        elif rows < _PAGE // 4:
            span_ns = min(span_ns * 2, _LONGEST_SPAN_NS)
        start_ns = end_ns


def _next_record(link: InfluxConnection, start_ns: int, before_ns: int, conditions: list[str]) -> int:
    """Return the timestamp of the first effort record from ``start_ns`` on, or ``before_ns`` if there is none."""
    if start_ns >= before_ns:
        return before_ns
    asked = all_of([f"time >= {start_ns}", f"time < {before_ns}", *conditions])
    rows = link.rows(f'SELECT "watching_s" FROM "effort" WHERE {asked} ORDER BY time LIMIT 1')
    return int(rows[0]["time"]) if rows else before_ns


def _read_span(link: InfluxConnection, merger: EffortMerger, conditions: str) -> int:
    """Add the effort records of one time span to the merger, and return the number of records.

    The payload is read if a point is older than the fields with exact times.
    """
    tables = link.tables(
        f'SELECT "start_us", "end_us", "watching_s" FROM "effort" WHERE {conditions} '
        'GROUP BY "station", "sensor", "gap"'
    )
    if any(None in row for table in tables for row in table.values):
        _read_payloads(link, merger, conditions)
    else:
        for table in tables:
            station, sensor = from_tag(table.tags["station"]), from_tag(table.tags["sensor"])
            state = _state(table.tags["gap"])
            for _, began_us, ended_us, _ in table.values:
                _add(merger, station, sensor, integer(began_us), integer(ended_us), state)
    return sum(len(table.values) for table in tables)


def _read_payloads(link: InfluxConnection, merger: EffortMerger, conditions: str) -> None:
    for table in link.tables(f'SELECT "payload" FROM "effort" WHERE {conditions}'):
        for _, payload in table.values:
            if payload is not None:  # else the point is being written
                record = _record.decode(payload)
                began_us, ended_us = microseconds(record.start), microseconds(record.end)
                _add(merger, record.station, record.sensor, began_us, ended_us, record.gap or "watching")


def _state(gap: str) -> EffortState:
    """Convert the tag ``gap`` of an effort point to the sensor's state."""
    return "watching" if gap == "none" else msgspec.convert(gap, Gap)


def _add(merger: EffortMerger, station: str, sensor: str, began_us: int, ended_us: int, state: EffortState) -> None:
    if ended_us - began_us <= MAX_RECORD_US:
        merger.add(station, sensor, began_us, ended_us, state)
