"""First and last record, peak week and calendar of a season, with what effort says about them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from contract import Clock
from pipelines.activity.lunar import phases_of_days, rates_by_phase
from pipelines.activity.phenology import BadSeason, Season, daily_rates, phenology
from pipelines.trends.counted_records import count_records, effort_table
from pipelines.trends.request import TrendRequest
from tests.unit.pipelines.trends.test_rate_trend import SHANGHAI, Filled
from wildpost.cli.main import main

Capture = pytest.CaptureFixture[str]
CRANE = "Grus leucogeranus"
YEAR = TrendRequest(date(2025, 7, 1), date(2026, 6, 30), SHANGHAI, taxon=CRANE)
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    one = Filled(tmp_path / "detections.duckdb")
    yield one
    one.store.close()


def seasons(filled: Filled, asked: TrendRequest = YEAR, begins_in: int = 7) -> tuple[Season, ...]:
    counted = count_records(filled.store, asked, (CRANE,))
    return phenology(asked, counted, effort_table(filled.store, asked, NOW), begins_in)


def winter(filled: Filled) -> None:
    """Effort all year; a crane every fourth day from 1 November to 1 March, and a flock in the week from 5 January."""
    filled.watched("2025-07-01", "2026-07-01")
    day = date(2025, 11, 1)
    while day <= date(2026, 3, 1):
        filled.seen(f"{day}T09:00:00", CRANE)
        day += timedelta(days=4)
    for hour in (7, 8, 10, 11, 12):
        filled.seen(f"2026-01-07T{hour:02}:00:00", CRANE)


def test_a_winter_has_its_first_and_last_day_with_limits_and_its_peak(filled: Filled) -> None:
    winter(filled)
    (season,) = seasons(filled)
    assert (season.name, season.whole, int(season.counts.sum())) == ("2025/26", True, 36)
    assert season.first is not None and season.last is not None and season.peak is not None
    assert (season.first.day, season.last.day) == (date(2025, 11, 1), date(2026, 3, 1))
    # 32 days with records within 121 sensor-days: 121 (20^(1/31) - 1) = 12.3 further ones.
    assert season.days_with_records == 32
    assert season.first.limit == date(2025, 11, 1) - timedelta(days=13)
    assert season.last.limit == date(2026, 3, 1) + timedelta(days=13)
    assert (season.peak.name, season.peak.first) == ("2026-W02", date(2026, 1, 5))
    assert season.peak.rate.per_100_days == pytest.approx(600 / 7)
    assert season.peak.rivals > 10


def test_what_nobody_watched_is_said(filled: Filled) -> None:
    """The sensor began on 1 November: arrival is not known, and departure is."""
    filled.watched("2025-11-01", "2026-07-01")
    for day in range(1, 21, 3):
        filled.seen(f"2025-11-{day:02}T09:00:00", CRANE)
    (season,) = seasons(filled)
    assert season.first is not None and season.last is not None
    assert (season.first.limit, season.first.unwatched_days) == (None, 123)
    assert season.last.limit is not None and season.last.unwatched_days == 0
    assert daily_rates(season)[0] is None
    assert daily_rates(season)[123:125] == [100, 0]


def test_a_record_without_effort_is_a_first_record_without_limit(filled: Filled) -> None:
    winter(filled)
    for month in (1, 2, 4):
        filled.seen(f"2025-0{month}-03T09:00:00", CRANE)
    (season,) = seasons(filled, replace(YEAR, first=date(2025, 1, 1), last=date(2025, 6, 30)), 1)
    assert season.first is not None and season.peak is None
    assert (season.first.day, season.first.limit, season.days_with_records) == (date(2025, 1, 3), None, 0)


def test_few_days_with_records_have_no_limits(filled: Filled) -> None:
    filled.watched("2025-07-01", "2026-07-01")
    for day in (1, 9):
        filled.seen(f"2025-11-{day:02}T09:00:00", CRANE)
    (season,) = seasons(filled)
    assert season.first is not None and season.last is not None
    assert (season.first.limit, season.last.limit) == (None, None)


def test_a_species_that_was_not_recorded_has_no_first_day(filled: Filled) -> None:
    filled.watched("2025-07-01", "2026-07-01")
    (season,) = seasons(filled)
    assert (season.first, season.last, season.peak) == (None, None, None)


def test_seasons_begin_in_the_month_asked_for(filled: Filled) -> None:
    winter(filled)
    names = [(one.name, one.whole) for one in seasons(filled, begins_in=1)]
    assert names == [("2025", False), ("2026", False)]
    with pytest.raises(BadSeason, match="month 13: expected 1 to 12"):
        seasons(filled, begins_in=13)


def test_untrusted_times_are_in_no_season(filled: Filled) -> None:
    filled.watched("2025-07-01", "2026-07-01")
    filled.seen("2025-09-01T09:00:00", CRANE, clock=Clock(source="copy", synchronised=False))
    (season,) = seasons(filled)
    assert season.first is None
    assert count_records(filled.store, YEAR, (CRANE,)).untrusted == 1


def test_the_command_prints_seasons_and_phases(filled: Filled, tmp_path: Path, capsys: Capture) -> None:
    winter(filled)
    filled.store.close()
    asked = ["seasons", "--from", "2025-07-01", "--to", "2026-06-30", "--taxon", "白鹤", "--data", str(tmp_path)]
    assert main([*asked, "--begins-in", "7", "--json"]) == 0
    (season,) = json.loads(capsys.readouterr().out)["seasons"]
    assert (season["first"]["limit"], season["peak_week"]["week"]) == ("2025-10-19", "2026-W02")
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "Leucogeranus leucogeranus" in shown and "full moon" in shown
    assert main([*asked, "--begins-in", "13"]) == 1
    assert "month 13: expected 1 to 12" in capsys.readouterr().err


def test_records_of_full_moons_are_in_the_phase_of_the_full_moon(filled: Filled) -> None:
    filled.watched("2025-07-01", "2026-07-01")
    for day in ("2025-11-05", "2025-12-05", "2026-01-03", "2026-02-02"):  # full moons of that winter
        filled.seen(f"{day}T23:00:00", CRANE)
    counted = count_records(filled.store, YEAR, (CRANE,))
    rates = rates_by_phase(YEAR, counted, effort_table(filled.store, YEAR, NOW))
    assert [rate.count for rate in rates] == [0, 0, 0, 0, 4, 0, 0, 0]
    assert sum(rate.effort_days for rate in rates) == pytest.approx(365)
    assert all(40 < rate.effort_days < 52 for rate in rates)


def test_a_day_has_the_phase_of_its_local_noon() -> None:
    asked = replace(YEAR, first=date(2026, 1, 18), last=date(2026, 1, 18), zone=ZoneInfo("Asia/Shanghai"))
    assert phases_of_days(asked).tolist() == [0]  # new moon on 2026-01-18, 19:52 UTC
    assert np.unique(phases_of_days(YEAR)).tolist() == list(range(8))
