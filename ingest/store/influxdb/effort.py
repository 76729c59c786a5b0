"""Reads effort from InfluxDB: a point stands at its record's start in milliseconds; its payload has the exact times."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from contract.messages import Gap
from ingest.store.effort import MAX_RECORD_US, EffortMerger, EffortQuery, SensorEffort
from ingest.store.influxdb.conditions import all_of, any_of, bounds
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.points import clamp_ns
from ingest.store.microseconds import microseconds

_PAGE = 20_000  # records an answer; some 10 MB
# Records that begin so long before the period are read only if they are long; stations write one an hour or a day.
_BEFORE_US = 3 * 86_400_000_000
_LONG_S = _BEFORE_US // 1_000_000 - 1


class _Record(msgspec.Struct, gc=False):
    """What is needed of ``contract.Effort``."""

    station: str
    sensor: str
    start: datetime
    end: datetime
    gap: Gap | None = None


_record = msgspec.json.Decoder(_Record)


def effort(link: InfluxConnection, query: EffortQuery) -> list[SensorEffort]:
    """See ``Store.effort``."""
    sensors = any_of("station", query.stations) + any_of("sensor", query.sensors)
    _, before_ns = bounds(query.start, query.end)
    start_us = microseconds(query.start)
    short_ns, earliest_ns = clamp_ns(start_us - _BEFORE_US), clamp_ns(start_us - MAX_RECORD_US)
    long = f'("watching_s" >= {_LONG_S} OR "gap_s" >= {_LONG_S})'
    merger = EffortMerger(query)
    for payloads in (
        _payloads(link, earliest_ns, short_ns, [*sensors, long]),
        _payloads(link, short_ns, before_ns, sensors),
    ):
        for payload in payloads:
            record = _record.decode(payload)
            began_us, ended_us = microseconds(record.start), microseconds(record.end)
            if ended_us - began_us <= MAX_RECORD_US:
                merger.add(record.station, record.sensor, began_us, ended_us, record.gap or "watching")
    return merger.merged()


def _payloads(link: InfluxConnection, start_ns: int, before_ns: int, conditions: Sequence[str]) -> Iterator[str]:
    """Read records page by page; one may be read twice, which changes no result of ``EffortMerger``."""
    while start_ns < before_ns:
        asked = all_of([f"time >= {start_ns}", f"time < {before_ns}", *conditions])
        rows = [
            row
            for table in link.tables(f'SELECT "payload" FROM "effort" WHERE {asked} ORDER BY time LIMIT {_PAGE}')
            for row in table.values
        ]
        yield from (payload for _, payload in rows if payload is not None)  # None: the point is being written
        if len(rows) < _PAGE:
            return
        # Points of different stations may share a nanosecond, so the last one of this page is read again.
        start_ns = max(rows[-1][0], start_ns + 1)
