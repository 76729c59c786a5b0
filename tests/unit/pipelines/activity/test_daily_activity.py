"""Activity from a real store: what counts, by clock and by sun, and rates by month and hour."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contract import Clock, Location
from contract.examples import DEPLOYMENT
from pipelines.activity.daily_activity import HeatMap, daily_activity, heat_map, overlap_of, sun_of, sun_time
from pipelines.activity.density import TURN
from pipelines.trends.counted_records import count_records, effort_table
from pipelines.trends.request import TrendRequest
from tests.unit.pipelines.trends.test_rate_trend import MARCH, Filled

HEFEI = Location(latitude=31.35, longitude=117.20)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    one = Filled(tmp_path / "detections.duckdb")
    for day in range(1, 31):
        one.seen(f"2026-03-{day:02}T06:{day:02}:00")
        one.seen(f"2026-03-{day:02}T20:{day:02}:00", "Cuon alpinus")
    yield one
    one.store.close()


def test_times_of_day_are_local_and_independent(filled: Filled) -> None:
    filled.seen("2026-03-05T06:20:00")  # a quarter of an hour after another
    found = daily_activity(filled.store, MARCH)
    assert (found.records, found.untrusted) == (30, 0)
    hours = np.sort(found.times * 24 / TURN)
    assert hours[0] == pytest.approx(6 + 1 / 60)
    assert hours[-1] == pytest.approx(6.5)
    assert found.curve is not None
    assert 6 < found.curve.hours[found.curve.density.argmax()] < 6.6


def test_untrusted_times_are_left_out_and_counted(filled: Filled) -> None:
    filled.seen("2026-03-05T15:00:00", clock=Clock(source="copy", synchronised=False))
    found = daily_activity(filled.store, MARCH)
    assert (found.records, found.untrusted) == (30, 1)
    assert not ((found.times * 24 / TURN > 14) & (found.times * 24 / TURN < 16)).any()


def test_species_active_at_different_hours_hardly_overlap(filled: Filled) -> None:
    boar, dhole = (daily_activity(filled.store, replace(MARCH, taxon=name)) for name in ("野猪", "Cuon alpinus"))
    found = overlap_of(boar, dhole)
    assert found is not None
    assert found.interval.value < 0.01
    assert found.watson_u2 > 0.268
    assert found.estimator == "Dhat1"


def test_few_records_have_no_curve(filled: Filled) -> None:
    few = daily_activity(filled.store, replace(MARCH, last=date(2026, 3, 10)))
    assert (few.records, few.curve) == (10, None)
    assert overlap_of(few, daily_activity(filled.store, MARCH)) is None


def test_sun_time_stretches_the_day_between_sunrise_and_sunset() -> None:
    assert [sun_time(hour, 5, 19) for hour in (5, 12, 19, 0, 22)] == [6, 12, 18, 0, pytest.approx(21.6)]
    assert sun_time(3.0, 12, 12) == 3.0  # polar night
    times = [sun_time(hour / 10, 7.25, 16.5) for hour in range(240)]
    assert all(0 <= time < 24 for time in times)


def test_by_sun_records_of_stations_without_position_are_left_out(filled: Filled) -> None:
    unknown = daily_activity(filled.store, MARCH, "sun")
    assert (unknown.records, unknown.without_position) == (0, 30)
    filled.write(msgspec.structs.replace(DEPLOYMENT, station="ridge-01", location=HEFEI))
    found = daily_activity(filled.store, MARCH, "sun")
    assert (found.records, found.without_position) == (30, 0)
    first = min(found.times * 24 / TURN)
    rise, sets = sun_of(date(2026, 3, 1), HEFEI, MARCH.zone)
    assert 6 < rise < 7 < 18 < sets < 19
    assert first == pytest.approx(sun_time(6 + 1 / 60, rise, sets), abs=0.02)


def test_rates_by_month_and_hour_are_unknown_without_effort(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-03-21")

    def rates(asked: TrendRequest) -> HeatMap:
        counted = count_records(filled.store, asked, ("Sus scrofa",))
        return heat_map(asked, counted, effort_table(filled.store, asked))

    found = rates(MARCH)
    assert found.rates[2][6] == pytest.approx(100 * 20 / 20)
    assert found.rates[2][7] == 0
    assert found.rates[3][6] is None
    year = replace(MARCH, first=date(2025, 1, 1), last=date(2025, 1, 1) + timedelta(days=500))
    assert found.rates == rates(year).rates
