"""Counts every station's captures in InfluxDB, and not again at once where that takes long."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.store.influxdb.conditions import integer
from ingest.store.influxdb.connection import InfluxConnection
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.microseconds import EPOCH, MICROSECOND

_LONG_S = 0.5
_REST = 20  # times as long as it took: so one who asks all the time costs InfluxDB a twentieth of its time


class Seen(NamedTuple):
    """How many captures of a station there are, and when the latest was taken."""

    events: int
    last_event_at: datetime


class StationCounts:
    """Reads every capture there is: five seconds at ten million, and who watches /healthz asks twice a minute."""

    def __init__(self, link: InfluxConnection, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask through this link, not before it is needed."""
        self._link = link
        self._clock = clock
        self._asking = threading.Lock()  # who asks meanwhile gets the same answer
        self._seen: Mapping[str, Seen] = {}
        self._took_s = self._asked_at = 0.0

    def __call__(self) -> Mapping[str, Seen]:
        """Tell by station; no older than twenty times what counting takes, and new where that is no time."""
        with self._asking:
            if self._took_s < _LONG_S or self._clock() - self._asked_at > _REST * self._took_s:
                began = self._clock()
                self._seen = self._count()
                self._asked_at = self._clock()
                self._took_s = self._asked_at - began
            return self._seen

    def _count(self) -> Mapping[str, Seen]:
        found = self._link.query(
            'SELECT COUNT("captured_us") AS "events", MAX("captured_us") AS "last" FROM "event" GROUP BY "station"'
        )
        rows = {from_tag(series.tags["station"]): series.rows[0] for series in found}
        return {
            station: Seen(integer(row["events"]), EPOCH + integer(row["last"]) * MICROSECOND)
            for station, row in rows.items()
        }
