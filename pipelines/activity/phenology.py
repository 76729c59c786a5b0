"""Phenology of a species: first and last record, peak week and calendar of each season, with effort."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from contract.errors import InvalidInput
from pipelines.trends.counted_records import CountedRecords, EffortTable
from pipelines.trends.periods import split
from pipelines.trends.rates import Rate, least_effort_days, poisson_rate
from pipelines.trends.request import TrendRequest

CONFIDENCE = 0.95
FEWEST_DAYS = 3  # days with a record; with fewer, the range says nothing about its ends
Array = NDArray[np.float64]


class BadSeason(InvalidInput):
    """The month in which seasons begin is not valid."""


@dataclass(frozen=True, slots=True)
class EndOfStay:
    """First or last record of a season.

    Attributes:
        day: Local day of the record.
        limit: Day before (after) which the stay began (ended) with a probability of at most 5 %; None if it is not
            known, because there are too few days with records or because no sensor watched for long enough.
        unwatched_days: Days without effort right before (after) the record.
    """

    day: date
    limit: date | None
    unwatched_days: int


@dataclass(frozen=True, slots=True)
class PeakWeek:
    """The week with the highest rate.

    Attributes:
        name: Such as "2026-W15".
        first: Its first day within the season.
        rate: Its rate.
        rivals: Number of other weeks whose intervals overlap its interval.
    """

    name: str
    first: date
    rate: Rate
    rivals: int


@dataclass(frozen=True, slots=True)
class Season:
    """One season of a species.

    Attributes:
        name: "2026", or "2025/26" if it does not begin in January.
        first_day: First day, within the requested days.
        last_day: Last day, within the requested days.
        whole: Whether the request includes the whole of it.
        counts: (days,) independent records of each day.
        effort_days: (days,) sensor-days of each day; 0: not known.
        days_with_records: Number of days with a record on which a sensor is known to have worked.
        first: First record; None without records.
        last: Last record; None without records.
        peak: None if no week has a rate above 0.
    """

    name: str
    first_day: date
    last_day: date
    whole: bool
    counts: NDArray[np.int64]
    effort_days: Array
    days_with_records: int
    first: EndOfStay | None
    last: EndOfStay | None
    peak: PeakWeek | None


def phenology(
    request: TrendRequest, counted: CountedRecords, effort: EffortTable, begins_in: int = 1
) -> tuple[Season, ...]:
    """Return the seasons of a species.

    Args:
        request: Days, stations and sensors.
        counted: Records of one taxon.
        effort: Effort of the request.
        begins_in: Month in which a season begins, 1 to 12: for birds that spend the winter, July.

    Raises:
        BadSeason: the month is not from 1 to 12.
    """
    if not 1 <= begins_in <= 12:
        raise BadSeason(f"month {begins_in}: expected 1 to 12")
    by_day = effort.by_day.sum(axis=0)
    counts = np.bincount(counted.day[counted.independent], minlength=len(by_day))
    return tuple(
        _season(request, name, counts[low:high], by_day[low:high], low, whole)
        for name, low, high, whole in _seasons(request, begins_in)
    )


def _seasons(request: TrendRequest, begins_in: int) -> Iterator[tuple[str, int, int, bool]]:
    """Yield name, first day and end (not included) as numbers of days, and whether it is whole."""
    year = request.first.year - (request.first.month < begins_in)
    while date(year, begins_in, 1) <= request.last:
        begin, following = date(year, begins_in, 1), date(year + 1, begins_in, 1)
        low, high = max(begin, request.first), min(following, request.last + timedelta(days=1))
        name = str(year) if begins_in == 1 else f"{year}/{(year + 1) % 100:02}"
        whole = (low, high) == (begin, following)
        yield name, (low - request.first).days, (high - request.first).days, whole
        year += 1


def _season(
    request: TrendRequest, name: str, counts: NDArray[np.int64], effort_days: Array, begin: int, whole: bool
) -> Season:
    first_day = request.first + timedelta(days=begin)
    last_day = first_day + timedelta(days=len(counts) - 1)
    seen = np.flatnonzero((counts > 0) & (effort_days > 0))
    every = np.flatnonzero(counts > 0)
    first = last = None
    if len(every):
        back, ahead = _limit(effort_days[::-1], len(counts) - 1 - seen[::-1]), _limit(effort_days, seen)
        limits = (None if back is None else len(counts) - 1 - back), ahead
        first, last = (
            EndOfStay(
                first_day + timedelta(days=int(day)),
                None if limit is None or day not in seen else first_day + timedelta(days=limit),
                _unwatched(effort),
            )
            for day, limit, effort in (
                (every[0], limits[0], effort_days[: every[0]][::-1]),
                (every[-1], limits[1], effort_days[every[-1] + 1 :]),
            )
        )
    return Season(
        name,
        first_day,
        last_day,
        whole,
        counts,
        effort_days,
        len(seen),
        first,
        last,
        _peak(first_day, last_day, counts, effort_days),
    )


def _limit(effort_days: Array, seen: NDArray[np.int64]) -> int | None:
    """Return the number of the day up to which the stay lasted with a confidence of 95 %.

    The classical interval of the end of a range, with effort in place of time: of n days with records within an effort
    R, the end lies at most R ((1 - C)^(-1 / (n - 1)) - 1) further (Strauss & Sadler 1989, doi:10.1007/BF00897326). It
    assumes that a day of effort finds the species with the same probability throughout its stay.

    Args:
        effort_days: (days,) effort.
        seen: Days with a record, in ascending order.

    Returns:
        None if there are fewer than ``FEWEST_DAYS`` days with a record, or less effort after the last one than that.
    """
    if len(seen) < FEWEST_DAYS:
        return None
    within = float(effort_days[seen[0] : seen[-1] + 1].sum())
    further = within * ((1 - CONFIDENCE) ** (-1 / (len(seen) - 1)) - 1)
    after = np.cumsum(effort_days[seen[-1] + 1 :])
    number = int(np.searchsorted(after, further))
    return int(seen[-1]) + 1 + number if number < len(after) else None


def _unwatched(effort_days: Array) -> int:
    """Return the number of days without effort at the beginning."""
    return int(np.argmax(effort_days > 0)) if (effort_days > 0).any() else len(effort_days)


def _peak(first_day: date, last_day: date, counts: NDArray[np.int64], effort_days: Array) -> PeakWeek | None:
    weeks = split(first_day, last_day, "week")
    rates: list[Rate] = []
    for week in weeks:
        days = slice((week.first - first_day).days, (week.last - first_day).days + 1)
        number = int(counts[days][effort_days[days] > 0].sum())
        rates.append(poisson_rate(number, float(effort_days[days].sum()), CONFIDENCE, least_effort_days(week.days)))
    best = max(range(len(rates)), key=lambda index: rates[index].per_100_days or 0.0)
    if not rates[best].per_100_days:
        return None
    low = rates[best].low or 0.0
    rivals = sum(rate.high is not None and rate.high >= low for rate in rates) - 1
    return PeakWeek(weeks[best].name, weeks[best].first, rates[best], rivals)


def daily_rates(season: Season) -> Sequence[float | None]:
    """Return the records per 100 sensor-days of each day; None without effort, or too little of it."""
    least = least_effort_days(1)
    return [
        100.0 * count / worked if worked >= least else None
        for count, worked in zip(season.counts.tolist(), season.effort_days.tolist(), strict=True)
    ]
