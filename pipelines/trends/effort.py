"""Joins counts with effort: how long sensors watched on each day, without which counts cannot be compared."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingest.store.effort import EffortQuery
from ingest.store.port import Store
from ingest.store.watched_time import watched_by_day
from pipelines.trends.counting import Trends, stretches


def with_effort(trends: Trends, store: Store, stations: tuple[str, ...] = (), now: datetime | None = None) -> Trends:
    """Add the watched time of each day to counts.

    Args:
        trends: Counts of whole local days.
        store: The store that was counted in.
        stations: Only these, as in the counts; empty: all.
        now: Effort after this is ignored, as only a wrong clock can report it; None: the current time.
    """
    first, last = trends.days[0], trends.days[-1]
    offsets = stretches(first, last, ZoneInfo(trends.time_zone))
    start, end = offsets[0].start, offsets[-1].end
    query = EffortQuery(start, max(start, min(end, now or datetime.now(UTC))), stations)
    by_station = watched_by_day(store.effort(query), first, len(trends.days), offsets).values()
    return replace(
        trends, effort=tuple(_sum(day) for day in zip(*by_station, strict=True)) or (None,) * len(trends.days)
    )


def _sum(watched: tuple[float | None, ...]) -> float | None:
    """Sum what is known; None where nothing is."""
    return sum(known for known in watched if known is not None) or None
