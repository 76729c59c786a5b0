"""Records with local times and with the mark of independent ones, and the effort of stations by local day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ingest.store.microseconds import EPOCH, microseconds
from ingest.store.port import Store
from ingest.store.records import RecordQuery, Records
from ingest.store.taxon_key import taxon_key
from ingest.store.watched_time import watched_by_day
from pipelines.trends.counting import stretches
from pipelines.trends.effort import effort_until_now
from pipelines.trends.independence import independent_mask
from pipelines.trends.request import TrendRequest

DAY_S, DAY_MS = 86_400, 86_400_000
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CountedRecords:
    """Records with a trusted time, with what statistics need of them.

    Attributes:
        records: The records.
        independent: (n,) whether each is independent.
        animals: (n,) largest group until the next independent record; 0 for records that are not independent.
        local_ms: (n,) local time in milliseconds since the midnight at which the first day of the request began.
        untrusted: Number of records of the requested taxon without a trusted time, which are left out.
    """

    records: Records
    independent: NDArray[np.bool_]
    animals: Integers
    local_ms: Integers
    untrusted: int

    @property
    def day(self) -> Integers:
        """Number of the local day (n,), 0 for the first day of the request."""
        return self.local_ms // DAY_MS


def of_taxon(records: Records, taxon: str) -> NDArray[np.bool_]:
    """Return which records (n,) are of a taxon, given by its accepted name; "": all."""
    if not taxon:
        return np.ones(len(records), bool)
    chosen = np.array([name == taxon for name, _ in records.taxa] or [False])
    return np.asarray(chosen[records.taxon], bool)


def count_records(store: Store, request: TrendRequest, taxa: tuple[str, ...] = ()) -> CountedRecords:
    """Read the records of a request and mark the independent ones.

    Args:
        store: The store.
        request: The request; its taxon does not limit which records are read, because shares need all.
        taxa: Only these taxa are read; empty: all.
    """
    offsets = stretches(request.first, request.last, request.zone)
    query = RecordQuery(
        offsets[0].start,
        offsets[-1].end,
        request.stations,
        request.sensors,
        taxa,
        min_confidence=request.min_confidence,
    )
    found = store.records(query)
    # A store in milliseconds may return a record of the millisecond in which the period ends.
    start_ms, end_ms = (-(-microseconds(one) // 1000) for one in (query.start, query.end))
    hour_known = found.hour_known
    untrusted = int(
        np.count_nonzero(~hour_known & of_taxon(found, taxon_key(request.taxon, None) if request.taxon else ""))
    )
    if untrusted or not hour_known.all() or not _within(found.time_ms, start_ms, end_ms):
        found = found.where(hour_known & (found.time_ms >= start_ms) & (found.time_ms < end_ms))
    group = found.taxon * (len(found.stations) + 1) + found.station
    independent = independent_mask(group, found.time_ms, request.independence, request.compared_to)
    animals = np.zeros(len(found), np.int64)
    if len(found):
        animals[independent] = np.maximum.reduceat(found.animals, np.flatnonzero(independent))
    midnight_ms = (request.first - EPOCH.date()) // timedelta(days=1) * DAY_MS
    shifts = np.array([one.offset // timedelta(milliseconds=1) - midnight_ms for one in offsets])
    if len(offsets) == 1:
        local_ms = found.time_ms + shifts[0]
    else:
        ends = [microseconds(one.end) // 1000 for one in offsets[:-1]]
        local_ms = found.time_ms + shifts[np.searchsorted(ends, found.time_ms, "right")]
    return CountedRecords(found, independent, animals, local_ms, untrusted)


def _within(time_ms: Integers, start_ms: int, end_ms: int) -> bool:
    return not len(time_ms) or bool(time_ms.min() >= start_ms and time_ms.max() < end_ms)


@dataclass(frozen=True, slots=True)
class EffortTable:
    """Sensor-days of effort.

    Attributes:
        stations: Stations with effort, sorted.
        by_day: (stations, days) sensor-days on each local day; 0 where no sensor is known to have watched.
        by_sensor: Sensor-days by name of the sensor.
    """

    stations: tuple[str, ...]
    by_day: NDArray[np.float64]
    by_sensor: Mapping[str, float]


def effort_table(store: Store, request: TrendRequest, now: datetime | None = None) -> EffortTable:
    """Read the effort of stations by local day.

    Args:
        store: The store.
        request: The request, for its days, stations and sensors.
        now: See ``effort_until_now``.
    """
    offsets = stretches(request.first, request.last, request.zone)
    timelines = effort_until_now(store, offsets, request.stations, request.sensors, now)
    days = (request.last - request.first).days + 1
    watched = watched_by_day(timelines, request.first, days, offsets)
    by_sensor: dict[str, float] = {}
    for one in timelines:
        seconds = sum(
            ((span.end - span.start).total_seconds() for span in one.intervals if span.state == "watching"), 0.0
        )
        if seconds:
            by_sensor[one.sensor] = by_sensor.get(one.sensor, 0.0) + seconds / DAY_S
    stations = tuple(sorted(watched))
    table = np.zeros((len(stations), days))
    for number, station in enumerate(stations):
        table[number] = [(seconds or 0.0) / DAY_S for seconds in watched[station]]
    return EffortTable(stations, table, dict(sorted(by_sensor.items())))
