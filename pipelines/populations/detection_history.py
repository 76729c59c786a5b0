"""Detection histories: whether a species was recorded at each place in each sampling occasion, and the effort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipelines.trends.counting import local_midnight

Array = NDArray[np.float64]
Interval = tuple[datetime, datetime]
FirstDay = Literal["own", "survey"]


@dataclass(frozen=True, slots=True)
class DetectionHistory:
    """Detections and effort of places in sampling occasions, as occupancy models take them.

    Attributes:
        places: Names of the places, sorted.
        detected: (places, occasions) 1 if the species was recorded, 0 if not; NaN without effort.
        effort_days: (places, occasions) sensor-days; NaN if there were none.
    """

    places: tuple[str, ...]
    detected: Array
    effort_days: Array


def effort_by_day(intervals: Sequence[Interval], first: date, days: int, zone: ZoneInfo) -> Array:
    """Return the part of each local day (days,) for which a sensor watched, 0 to 1.

    A day counts by its real part: a camera that was set up at noon has half a day, as by the noon rule of camtrapR.

    Args:
        intervals: Times with offset between which the sensor watched; they do not overlap.
        first: First local day.
        days: Number of days.
        zone: Time zone of the days.
    """
    edges = np.array([local_midnight(first + timedelta(days=day), zone).timestamp() for day in range(days + 1)])
    watched = np.zeros(days)
    for start, end in intervals:
        low, high = np.maximum(edges[:-1], start.timestamp()), np.minimum(edges[1:], end.timestamp())
        watched += np.maximum(0.0, high - low)
    return np.asarray(watched / np.diff(edges))


def detection_history(
    records: Mapping[str, Sequence[datetime]],
    effort: Mapping[str, Sequence[Interval]],
    zone: ZoneInfo,
    occasion_days: int = 7,
    first_day: FirstDay = "own",
) -> DetectionHistory:
    """Build the detection history of one species.

    Args:
        records: Times of the species' records by place, with offset.
        effort: For each place, the times between which its sensor watched; places that never watched are left out.
        zone: Time zone of the days.
        occasion_days: Length of a sampling occasion.
        first_day: Where the first occasion begins: on each place's "own" first day, or on the first of the "survey".

    Raises:
        ValueError: no place watched, or the occasions have no length.
    """
    watching = {place: sorted(intervals) for place, intervals in effort.items() if intervals}
    if not watching or occasion_days < 1:
        raise ValueError(f"{len(watching)} places with effort, occasions of {occasion_days} days: expected at least 1")
    begun = {place: _day(intervals[0][0], zone) for place, intervals in watching.items()}
    ended = {
        place: _day(max(end for _, end in intervals) - timedelta(microseconds=1), zone)
        for place, intervals in watching.items()
    }
    survey = min(begun.values())
    firsts = {place: begun[place] if first_day == "own" else survey for place in watching}
    width = max(-(-((ended[place] - firsts[place]).days + 1) // occasion_days) for place in watching)
    places = tuple(sorted(watching))
    detected, days = np.zeros((len(places), width)), np.zeros((len(places), width))
    for row, place in enumerate(places):
        by_day = effort_by_day(watching[place], firsts[place], width * occasion_days, zone)
        days[row] = by_day.reshape(width, occasion_days).sum(axis=1)
        for moment in records.get(place, ()):
            occasion = (_day(moment, zone) - firsts[place]).days // occasion_days
            if 0 <= occasion < width:
                detected[row, occasion] = 1
    unknown = days == 0
    return DetectionHistory(places, np.where(unknown, np.nan, detected), np.where(unknown, np.nan, days))


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()
