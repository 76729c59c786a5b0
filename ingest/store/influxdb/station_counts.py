"""Number of events of every station in InfluxDB, cached if the query is slow."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ingest.store.influxdb.conditions import integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.microseconds import EPOCH, MICROSECOND

_SLOW_S = 0.5
_CACHE_FACTOR = 20  # cache for this many query durations: continuous polling uses a twentieth of InfluxDB's time


class Seen(NamedTuple):
    """Number of events of a station, and the time under which its latest event is listed."""

    events: int
    last_event_at: datetime


class StationCounts:
    """Cached query for the number of events of every station.

    The query takes five seconds for ten million events, and /healthz is polled twice a minute.
    """

    def __init__(self, link: InfluxConnection, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty cache; the first call of the object runs the query."""
        self._link = link
        self._clock = clock
        self._lock = threading.Lock()  # concurrent callers wait and share the result
        self._seen: Mapping[str, Seen] = {}
        self._duration_s = self._queried_at = 0.0

    def __call__(self) -> Mapping[str, Seen]:
        """Return the event counts by station, from the cache if the last query was slow and is recent.

        A cached result is at most twenty query durations old.
        """
        with self._lock:
            if self._duration_s < _SLOW_S or self._clock() - self._queried_at > _CACHE_FACTOR * self._duration_s:
                began = self._clock()
                self._seen = self._count()
                self._queried_at = self._clock()
                self._duration_s = self._queried_at - began
            return self._seen

    def _count(self) -> Mapping[str, Seen]:
        rows = self._query('COUNT("captured_us") AS "events", MAX("listed_us") AS "last"')
        # Points of older versions have no ``listed_us``; their time is bounded, since a clock may have been ahead.
        older = {} if all(row["last"] for row in rows.values()) else self._query('MAX("captured_us") AS "last"')
        now_us = time.time_ns() // 1000
        return {
            station: Seen(
                integer(row["events"]),
                EPOCH + integer(row["last"] or min(integer(older[station]["last"]), now_us)) * MICROSECOND,
            )
            for station, row in rows.items()
        }

    def _query(self, what: str) -> Mapping[str, Mapping[str, Any]]:
        found = self._link.query(f'SELECT {what} FROM "event" GROUP BY "station"')
        return {from_tag(series.tags["station"]): series.rows[0] for series in found}
