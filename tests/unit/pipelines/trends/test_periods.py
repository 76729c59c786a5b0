"""Periods of local days."""

from datetime import date, timedelta

import pytest

from pipelines.trends.periods import UNITS, TooManyPeriods, Unit, split


@pytest.mark.parametrize("unit", UNITS)
def test_every_day_belongs_to_one_period(unit: Unit) -> None:
    first, last = date(2025, 2, 11), date(2027, 3, 4)
    periods = split(first, last, unit)
    days = [period.first + timedelta(days=number) for period in periods for number in range(period.days)]
    assert days == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert len({period.name for period in periods}) == len(periods)
    assert unit == "day" or not periods[0].whole
    assert all(period.whole for period in periods[1:-1])


def test_names_follow_iso_and_the_meteorological_seasons() -> None:
    def names(first: date, last: date, unit: Unit) -> list[str]:
        return [period.name for period in split(first, last, unit)]

    assert names(date(2026, 12, 31), date(2027, 1, 4), "week") == ["2026-W53", "2027-W01"]
    seasons = ["2026-winter", "2026-spring", "2026-summer", "2026-autumn", "2027-winter"]
    assert names(date(2026, 2, 28), date(2026, 12, 1), "season") == seasons
    assert names(date(2026, 12, 31), date(2027, 1, 1), "month") == ["2026-12", "2027-01"]
    assert names(date(2026, 12, 31), date(2027, 1, 1), "year") == ["2026", "2027"]
    assert [one.whole for one in split(date(2026, 2, 1), date(2026, 2, 28), "month")] == [True]


def test_ten_years_of_days_are_refused() -> None:
    with pytest.raises(TooManyPeriods, match="by day: expected at most 1500 periods"):
        split(date(2017, 1, 1), date(2026, 12, 31), "day")
