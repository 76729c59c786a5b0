"""Adds effort, the time for which sensors were active on each day, to detection counts.

Counts of different days cannot be compared without effort.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingest.store.counts import OffsetPeriod
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.port import Store
from ingest.store.watched_time import watched_by_day
from pipelines.trends.counting import Trends, stretches


def effort_until_now(
    store: Store,
    offsets: Sequence[OffsetPeriod],
    stations: tuple[str, ...] = (),
    sensors: tuple[str, ...] = (),
    now: datetime | None = None,
) -> list[SensorEffort]:
    """Read the timelines of sensors in a period that ``stretches`` has split.

    Args:
        store: The store.
        offsets: The period.
        stations: Only these; empty: all.
        sensors: Only sensors of these names; empty: all.
        now: The current time; None: the system clock. Later effort is ignored, because only a station with a wrong
            clock reports it.
    """
    start, end = offsets[0].start, offsets[-1].end
    return store.effort(EffortQuery(start, max(start, min(end, now or datetime.now(UTC))), stations, sensors))


def with_effort(trends: Trends, store: Store, stations: tuple[str, ...] = (), now: datetime | None = None) -> Trends:
    """Return detection counts with the effort of each day: the time for which sensors were active.

    Args:
        trends: Counts of whole local days.
        store: The store that was counted in.
        stations: The stations whose detections were counted; empty: all stations.
        now: See ``effort_until_now``.
    """
    first, last = trends.days[0], trends.days[-1]
    offsets = stretches(first, last, ZoneInfo(trends.time_zone))
    timelines = effort_until_now(store, offsets, stations, now=now)
    by_station = watched_by_day(timelines, first, len(trends.days), offsets).values()
    return replace(
        trends, effort=tuple(_sum(day) for day in zip(*by_station, strict=True)) or (None,) * len(trends.days)
    )


def _sum(watched: tuple[float | None, ...]) -> float | None:
    """Return the total effort of all stations on one day; None if no station reported effort."""
    return sum(known for known in watched if known is not None) or None
