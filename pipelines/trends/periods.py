"""Periods of local days: days, weeks, months, seasons, years."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from contract.errors import InvalidInput

Unit = Literal["day", "week", "month", "season", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
Season = Literal["spring", "summer", "autumn", "winter"]
_SEASONS: tuple[Season, ...] = ("winter", "spring", "summer", "autumn")
MAX_PERIODS = 1_500  # four years of days


class TooManyPeriods(InvalidInput):
    """A request has more periods, or more periods times series, than are computed at once."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period of local days, both included; the first and the last of a request may be cut off.

    Attributes:
        name: "2026-11-27", "2026-W48" (ISO 8601), "2026-11", "2026-autumn" or "2026". Winter has the year in which it
            ends.
        first: First day.
        last: Last day.
        whole: Whether the request includes the whole of it.
    """

    name: str
    first: date
    last: date
    whole: bool

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1


def split(first: date, last: date, unit: Unit) -> tuple[Period, ...]:
    """Split local days, both ends included, into periods.

    Seasons begin with March, June, September and December, as in meteorology.

    Raises:
        TooManyPeriods: there are more than ``MAX_PERIODS``.
    """
    periods: list[Period] = []
    day = first
    while day <= last:
        begin, following, name = _around(day, unit)
        end = min(following - timedelta(days=1), last)
        periods.append(Period(name, day, end, begin == day and end + timedelta(days=1) == following))
        if len(periods) > MAX_PERIODS:
            raise TooManyPeriods(f"{first} to {last} by {unit}: expected at most {MAX_PERIODS} periods")
        day = following
    return tuple(periods)


def _around(day: date, unit: Unit) -> tuple[date, date, str]:
    """Return the first day of the period around a day, the first day after the period, and the period's name."""
    if unit == "day":
        return day, day + timedelta(days=1), day.isoformat()
    if unit == "week":
        year, week, weekday = day.isocalendar()
        monday = day - timedelta(days=weekday - 1)
        return monday, monday + timedelta(days=7), f"{year}-W{week:02}"
    if unit == "month":
        begin = day.replace(day=1)
        return begin, _months_later(begin, 1), f"{day.year}-{day.month:02}"
    if unit == "season":
        begin = _months_later(day.replace(day=1), -(day.month % 3))
        following = _months_later(begin, 3)
        return begin, following, f"{following.year}-{_SEASONS[following.month // 3 - 1]}"
    return date(day.year, 1, 1), date(day.year + 1, 1, 1), str(day.year)


def _months_later(first_of_month: date, months: int) -> date:
    number = first_of_month.year * 12 + first_of_month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
