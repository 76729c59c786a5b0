"""Effort is merged in bounded memory, and watched time is summed per local day."""

import tracemalloc
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from ingest.store import effort
from ingest.store.effort import STATES, EffortInterval, EffortMerger, EffortQuery, EffortState, SensorEffort
from ingest.store.microseconds import microseconds
from ingest.store.watched_time import watched_by_day
from pipelines.trends.counting import local_midnight, stretches

MIDNIGHT = datetime(2026, 4, 12, tzinfo=UTC)
YEAR = EffortQuery(MIDNIGHT, MIDNIGHT + timedelta(days=365))
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def timeline(station: str, sensor: str, *intervals: tuple[str, str, EffortState]) -> SensorEffort:
    return SensorEffort(
        station,
        sensor,
        tuple(
            EffortInterval(datetime.fromisoformat(start), datetime.fromisoformat(end), state)
            for start, end, state in intervals
        ),
    )


def hours(found: dict[str, tuple[float | None, ...]]) -> dict[str, list[float | None]]:
    return {
        station: [None if one is None else round(one / 3600, 9) for one in by_day] for station, by_day in found.items()
    }


def test_merging_in_portions_gives_what_merging_at_once_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(4)
    start_us = microseconds(MIDNIGHT)
    spans = []
    for _ in range(3000):
        begin = start_us + random.randrange(3_000_000)
        spans.append((f"ridge-{random.randrange(3)}", begin, begin + random.randrange(4000), random.choice(STATES)))
    results = []
    for compact_at in (10**9, 50):
        monkeypatch.setattr(effort, "_COMPACT_AT", compact_at)
        merger = EffortMerger(YEAR)
        for station, begin, end, state in spans:
            merger.add(station, "camera", begin, end, state)
        results.append(merger.merged())
    assert results[0] == results[1]
    assert [one.station for one in results[0]] == ["ridge-0", "ridge-1", "ridge-2"]


def test_memory_grows_with_the_result_and_not_with_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "_COMPACT_AT", 1_000)
    start_us, second = microseconds(MIDNIGHT), 1_000_000
    merger = EffortMerger(YEAR)
    tracemalloc.start()
    for number in range(20_000):
        merger.add("ridge-01", "camera", start_us + number * second, start_us + (number + 1) * second, "watching")
    (only,) = merger.merged()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(only.intervals) == 1
    assert peak < 1_000_000, "20,000 pending records take 3 MB"


def test_an_interval_is_divided_at_local_midnights() -> None:
    found = timeline("ridge-01", "camera", ("2026-05-30T20:00+08:00", "2026-06-01T06:00+08:00", "watching"))
    first, last = date(2026, 5, 30), date(2026, 6, 1)
    watched = watched_by_day([found], first, 3, stretches(first, last, SHANGHAI))
    assert hours(watched) == {"ridge-01": [4, 24, 6]}


def test_a_day_without_watched_time_is_not_known_whatever_is_known_of_its_gaps() -> None:
    found = timeline(
        "ridge-01",
        "camera",
        ("2026-05-30T00:00+08:00", "2026-05-30T12:00+08:00", "watching"),
        ("2026-05-30T12:00+08:00", "2026-06-01T00:00+08:00", "blind"),
    )
    first, last = date(2026, 5, 29), date(2026, 5, 31)
    watched = watched_by_day([found], first, 3, stretches(first, last, SHANGHAI))
    assert hours(watched) == {"ridge-01": [None, 12, None]}


def test_sensors_of_a_station_add_up_and_stations_stay_apart() -> None:
    day = ("2026-05-30T00:00+08:00", "2026-05-31T00:00+08:00", "watching")
    effort_ = [timeline("a", "camera", day), timeline("a", "microphone", day), timeline("b", "camera", day)]  # type: ignore[arg-type]
    first = date(2026, 5, 30)
    assert hours(watched_by_day(effort_, first, 1, stretches(first, first, SHANGHAI))) == {"a": [48], "b": [24]}


def test_days_on_which_clocks_change_have_23_and_25_hours() -> None:
    found = timeline("a", "camera", ("2026-03-01T00:00+01:00", "2026-11-01T00:00+01:00", "watching"))
    for day, length in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        before, after = day - timedelta(days=1), day + timedelta(days=1)
        watched = watched_by_day([found], before, 3, stretches(before, after, BERLIN))
        assert hours(watched) == {"a": [24, length, 24]}


@pytest.mark.parametrize(
    ("place", "first", "last"),
    [
        ("Asia/Shanghai", date(2026, 1, 1), date(2026, 2, 1)),
        ("Australia/Lord_Howe", date(2026, 3, 20), date(2026, 11, 3)),
        ("America/Sao_Paulo", date(2017, 10, 1), date(2018, 3, 1)),
        ("Pacific/Apia", date(2011, 12, 1), date(2012, 1, 31)),
    ],
)
def test_constant_watching_fills_each_day_to_its_length(place: str, first: date, last: date) -> None:
    zone = ZoneInfo(place)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = timeline("a", "camera", ("2000-01-01T00:00+00:00", "2030-01-01T00:00+00:00", "watching"))
    watched = watched_by_day([found], first, len(days), stretches(first, last, zone))["a"]
    lengths = [local_midnight(day + timedelta(days=1), zone) - local_midnight(day, zone) for day in days]
    assert list(watched) == [length.total_seconds() or None for length in lengths]


def test_time_outside_the_days_asked_for_is_left_out() -> None:
    found = timeline("a", "camera", ("2026-05-01T00:00+08:00", "2026-05-02T00:00+08:00", "watching"))
    first = date(2026, 5, 30)
    assert hours(watched_by_day([found], first, 1, stretches(first, first, SHANGHAI))) == {"a": [None]}
