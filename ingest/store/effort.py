"""Effort of sensors (the time they watched): query, result, and merging of effort records into timelines.

Records overlap when a clock was set back, a station was restored from a copy, or two sources describe the same time.
At each instant a gap overrides watching, and of two gaps the one later in ``STATES``. The result depends neither on the
order in which records arrived nor on how often each did, and watched time is never overstated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Literal, get_args

from contract.messages import Gap
from ingest.store.microseconds import EPOCH, MICROSECOND, check_period, microseconds

EffortState = Literal["watching"] | Gap
STATES: tuple[EffortState, ...] = ("watching", *get_args(Gap))  # each overrides those before it
_STRONGEST_FIRST = range(len(STATES) - 1, -1, -1)
# Stations write a record an hour. A longer one spans a jump of the clock: from 1970 to the first NTP sync, or to 2099.
# The limit also bounds how far before a period a record can begin that reaches into it.
MAX_RECORD_US = timedelta(days=366) // MICROSECOND
_COMPACT_AT = 100_000  # pending records; some 15 MB


@dataclass(frozen=True, slots=True)
class EffortQuery:
    """Filter for reading effort; an empty tuple accepts any value.

    Attributes:
        start: Intervals are clipped to begin at or after this.
        end: Intervals are clipped to end at or before this.
        stations: Only these.
        sensors: Only sensors of these names.

    Raises:
        ValueError: a time has no time zone, or the end is before the start.
    """

    start: datetime
    end: datetime
    stations: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_period(self.start, self.end)


@dataclass(frozen=True, slots=True)
class EffortInterval:
    """A time span in which a sensor was in one state; the end is not included."""

    start: datetime
    end: datetime
    state: EffortState


@dataclass(frozen=True, slots=True)
class SensorEffort:
    """Timeline of one sensor: sorted intervals without overlaps; the state between intervals is unknown."""

    station: str
    sensor: str
    intervals: tuple[EffortInterval, ...]


class EffortMerger:
    """Merger of effort records, given in any order, into one timeline per sensor.

    The memory it needs is bounded by the result.
    """

    def __init__(self, query: EffortQuery) -> None:
        """Create a merger that clips all records to the period of a query."""
        self._start_us, self._end_us = microseconds(query.start), microseconds(query.end)
        self._pending: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        self._count = 0
        self._compact_at = _COMPACT_AT

    def add(self, station: str, sensor: str, start_us: int, end_us: int, state: EffortState) -> None:
        """Add the time span of one or more effort records, in microseconds since 1970.

        The caller leaves out records longer than ``MAX_RECORD_US``.
        """
        start_us, end_us = max(start_us, self._start_us), min(end_us, self._end_us)
        if start_us >= end_us:
            return
        self._pending.setdefault((station, sensor), []).append((start_us, end_us, STATES.index(state)))
        self._count += 1
        if self._count >= self._compact_at:
            self._compact()

    def merged(self) -> list[SensorEffort]:
        """Return the timeline of each sensor that has records, sorted by station and sensor."""
        return [
            SensorEffort(
                station,
                sensor,
                tuple(
                    EffortInterval(EPOCH + start * MICROSECOND, EPOCH + end * MICROSECOND, STATES[rank])
                    for start, end, rank in merge(spans)
                ),
            )
            for (station, sensor), spans in sorted(self._pending.items())
        ]

    def _compact(self) -> None:
        """Merge the time spans added so far, to limit memory; the result can be merged with spans added later."""
        self._pending = {sensor: merge(spans) for sensor, spans in self._pending.items()}
        self._count = sum(map(len, self._pending.values()))
        self._compact_at = max(_COMPACT_AT, 2 * self._count)


def merge(spans: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Merge time spans into sorted spans without overlaps; where spans overlap, the highest rank is kept.

    Adjacent spans of equal rank are joined.

    Args:
        spans: Start, end and rank of each; the end is not included.
    """
    edges = sorted(edge for start, end, rank in spans for edge in ((start, rank, 1), (end, rank, -1)))
    active = [0] * len(STATES)
    merged: list[tuple[int, int, int]] = []
    since = 0
    current: int | None = None
    for at, changes in groupby(edges, itemgetter(0)):
        for _, rank, change in changes:
            active[rank] += change
        following = next((rank for rank in _STRONGEST_FIRST if active[rank]), None)
        if following != current:
            if current is not None:
                merged.append((since, at, current))
            since, current = at, following
    return merged
