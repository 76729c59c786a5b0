"""Working hours of stations: in which share of each hour of the day at least one sensor watched."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ingest.store.effort import SensorEffort

HOURS = 24
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Working hours of one station in a period.

    Attributes:
        station: The station.
        by_hour: (24,) share of each local hour of the day in which a sensor watched, 0 to 1; NaN for an hour for which
            no sensor accounted on any day: not known.
        watched_share: Share of the whole period in which a sensor watched.
    """

    station: str
    by_hour: Array
    watched_share: float

    def unwatched(self, below: float = 0.5) -> list[int]:
        """Return the hours of the day that are watched for less than a share, or of which nothing is known."""
        return [hour for hour in range(HOURS) if not self.by_hour[hour] >= below]

    def unwatched_ranges(self) -> list[str]:
        """Return ``unwatched`` hours as ranges, such as "01-04" and "22-24"."""
        return hour_ranges(self.unwatched())


def hour_ranges(hours: Iterable[int]) -> list[str]:
    """Return hours in ascending order as ranges, such as "01-04" and "22-24"."""
    found: list[list[int]] = []
    for hour in hours:
        if found and found[-1][1] == hour:
            found[-1][1] = hour + 1
        else:
            found.append([hour, hour + 1])
    return [f"{low:02}-{high:02}" for low, high in found]


def working_hours(effort: Iterable[SensorEffort], start: datetime, end: datetime, zone: ZoneInfo) -> list[WorkingHours]:
    """Return the working hours of each station that reported effort, sorted by station.

    Several sensors of a station count once: an hour is watched if any of them watches.

    Args:
        effort: Timelines of sensors, as ``Store.effort`` returns them for the period.
        start: Start of the period: a full hour.
        end: End of the period, not included.
        zone: Time zone of the hours; clock changes are taken into account.

    Raises:
        ValueError: the period has no hour.
    """
    count = int((end - start) / timedelta(hours=1))
    if count < 1:
        raise ValueError(f"{start} to {end}: expected at least an hour")
    hours = np.array([(start + timedelta(hours=index)).astimezone(zone).hour for index in range(count)])
    days = np.bincount(hours, minlength=HOURS)
    return [
        _of_station(station, sensors, start, count, hours, days)
        for station, sensors in sorted(_by_station(effort).items())
    ]


def _by_station(effort: Iterable[SensorEffort]) -> Mapping[str, list[SensorEffort]]:
    found: dict[str, list[SensorEffort]] = defaultdict(list)
    for sensor in effort:
        found[sensor.station].append(sensor)
    return found


def _of_station(
    station: str,
    sensors: list[SensorEffort],
    start: datetime,
    count: int,
    hours: NDArray[np.int64],
    days: NDArray[np.int64],
) -> WorkingHours:
    spans = [
        ((span.start - start) / timedelta(hours=1), (span.end - start) / timedelta(hours=1), span.state == "watching")
        for sensor in sensors
        for span in sensor.intervals
    ]
    watched = _hours_of(_union((low, high) for low, high, watching in spans if watching), count)
    accounted = _hours_of(_union((low, high) for low, high, _ in spans), count)
    sums = np.bincount(hours, watched, HOURS)
    known = np.bincount(hours, accounted, HOURS) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        by_hour = np.where(known, sums / days, np.nan)
    return WorkingHours(station, by_hour, float(watched.sum() / count))


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return merged


def _hours_of(spans: Iterable[tuple[float, float]], count: int) -> Array:
    """Return the covered part of each hour (count,), 0 to 1, of spans without overlaps."""
    covered = np.zeros(count)
    edges = np.arange(count + 1, dtype=float)
    for low, high in spans:
        first, last = max(0, int(low)), min(count, int(np.ceil(high)))
        if first < last:
            part = np.minimum(edges[first + 1 : last + 1], high) - np.maximum(edges[first:last], low)
            covered[first:last] += np.maximum(0.0, part)
    return covered
