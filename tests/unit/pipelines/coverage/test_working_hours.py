"""Working hours by hour of the day: of several sensors, across a clock change, and unknown where nobody accounts."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.store.effort import EffortInterval, SensorEffort
from pipelines.coverage.working_hours import WorkingHours, working_hours

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 6, 1, tzinfo=ZONE)


def sensor(name: str, *spans: tuple[float, float, str], start: datetime = MONDAY, station: str = "oak") -> SensorEffort:
    """A sensor's timeline; spans in hours after the start."""
    intervals = (
        EffortInterval(start + timedelta(hours=low), start + timedelta(hours=high), state)  # type: ignore[arg-type]
        for low, high, state in spans
    )
    return SensorEffort(station, name, tuple(intervals))


def only(*sensors: SensorEffort, days: float = 1, zone: ZoneInfo = ZONE, start: datetime = MONDAY) -> WorkingHours:
    (found,) = working_hours(sensors, start, start + timedelta(days=days), zone)
    return found


def test_an_hour_counts_by_the_part_that_was_watched() -> None:
    found = only(sensor("camera", (0, 2.25, "watching"), (2.25, 24, "blind")))
    assert found.by_hour[:4] == pytest.approx([1, 1, 0.25, 0])
    assert found.watched_share == pytest.approx(2.25 / 24)


def test_two_sensors_that_watch_at_once_count_once_and_one_after_the_other_both() -> None:
    found = only(sensor("a", (0, 1.5, "watching")), sensor("b", (1, 2, "watching")))
    assert found.by_hour[:2] == pytest.approx([1, 1])
    assert found.watched_share == pytest.approx(2 / 24)


def test_days_are_averaged_and_the_hours_of_no_account_are_not_known() -> None:
    found = only(sensor("a", (0, 1, "watching"), (24, 25, "off")), days=2)
    assert found.by_hour[0] == pytest.approx(0.5)
    assert np.isnan(found.by_hour[1:]).all()
    assert found.unwatched(0.4) == list(range(1, 24))


def test_the_hour_that_a_clock_change_skips_or_repeats_is_counted_as_it_was() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring = datetime(2026, 3, 29, tzinfo=berlin)
    whole = sensor("a", (0, 30, "watching"), start=spring.astimezone(ZoneInfo("UTC")))
    found = only(whole, days=1, zone=berlin, start=spring.astimezone(ZoneInfo("UTC")))
    assert np.isnan(found.by_hour[2])  # 02:00 to 03:00 did not exist
    assert found.by_hour[3] == pytest.approx(1)
    assert found.watched_share == pytest.approx(1)


def test_stations_are_apart_and_sorted() -> None:
    sensors = [sensor("a", (0, 1, "watching"), station="yew"), sensor("a", (0, 24, "watching"), station="ash")]
    found = working_hours(sensors, MONDAY, MONDAY + timedelta(days=1), ZONE)
    assert [(one.station, round(one.watched_share, 3)) for one in found] == [("ash", 1.0), ("yew", 0.042)]


def test_a_period_without_an_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least an hour"):
        working_hours([], MONDAY, MONDAY, ZONE)
