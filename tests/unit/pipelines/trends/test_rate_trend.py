"""Rates by period from a real store: effort, intervals, independence, groups, what is not known."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from contract import Clock, Deployment, Detection, encode, new_event_id
from contract.deployment import DeployedSensor
from contract.examples import DEPLOYMENT, EVENT
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received, Storable
from pipelines.trends.comparison import compare
from pipelines.trends.independence import ComparedTo, independent_mask, independent_records
from pipelines.trends.periods import TooManyPeriods
from pipelines.trends.plain import plain_comparison, plain_trend
from pipelines.trends.rate_trend import rate_trend
from pipelines.trends.rates import poisson_rate
from pipelines.trends.request import BadRequest, IntervalMethod, TrendRequest
from tests.effort_messages import effort_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
MARCH = TrendRequest(date(2026, 3, 1), date(2026, 4, 30), SHANGHAI, taxon="野猪")
(MODEL,) = EVENT.models[:1]


class Filled:
    """A store with records of the wild boar and others."""

    def __init__(self, path: Path) -> None:
        self.store = DuckDbStore(path)

    def write(self, *records: Storable) -> None:
        now = datetime(2026, 6, 1, tzinfo=SHANGHAI)
        self.store.write([Received(record, encode(record), now) for record in records])

    def seen(self, at: str, label: str = "wild boar", times: int = 1, station: str = "ridge-01", **more: Any) -> None:
        detections = tuple(
            Detection(ordinal=number, label=label, observation_type="animal", confidence=0.9, model=MODEL.name)
            for number in range(times)
        )
        values: dict[str, Any] = {
            "event_id": new_event_id(),
            "station": station,
            "captured_at": datetime.fromisoformat(at).replace(tzinfo=SHANGHAI),
            "detections": detections,
            "models": (MODEL,),
        }
        self.write(msgspec.structs.replace(EVENT, **values | more))

    def watched(self, first: str, last: str, station: str = "ridge-01", sensor: str = "camera") -> None:
        """Write effort of whole local days, from the first up to and without the last."""
        start, end = (datetime.fromisoformat(day).replace(tzinfo=SHANGHAI) for day in (first, last))
        self.write(effort_of(start, end, station=station, sensor=sensor))


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    one = Filled(tmp_path / "detections.duckdb")
    yield one
    one.store.close()


def test_a_rate_has_the_effort_of_its_period_and_an_exact_interval(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-04-01")
    for day in (2, 5, 30):
        filled.seen(f"2026-03-{day:02}T06:00:00")
    march, april = plain_trend(rate_trend(filled.store, MARCH))["periods"]
    exact = poisson_rate(3, 31)
    assert (march["period"], march["effort_days"], march["independent"]) == ("2026-03", 31, 3)
    assert march["rate"] == pytest.approx(300 / 31)
    assert march["interval"] == [pytest.approx(exact.low), pytest.approx(exact.high)]
    # Nothing is known of April: no rate, and no zero.
    assert (april["effort_days"], april["rate"], april["interval"], april["counted"]) == (None, None, None, None)
    assert april["independent"] == 0


def test_effort_without_records_is_a_rate_of_zero(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-04-01")
    march = rate_trend(filled.store, MARCH).overall.cells[0]
    assert (march.rate.per_100_days, march.rate.low, march.share) == (0, 0, None)
    assert march.rate.high == pytest.approx(100 * 3.688879 / 31)


@pytest.mark.parametrize("method", ["poisson", "negative binomial"])
def test_seconds_of_effort_give_no_rate_and_the_reason(filled: Filled, method: IntervalMethod) -> None:
    start = datetime(2026, 3, 5, 8, tzinfo=SHANGHAI)
    for number in range(4):
        filled.write(effort_of(start, start + timedelta(seconds=10), station=f"ridge-{number}", sensor="camera"))
    filled.seen("2026-03-05T08:00:05", station="ridge-0")
    found = plain_trend(rate_trend(filled.store, replace(MARCH, method=method)))
    march, april = found["periods"]
    assert (march["rate"], march["interval"], march["independent"]) == (None, None, 1)
    assert march["effort_days"] == pytest.approx(40 / 86_400)
    assert march["not_known"].startswith("less than one sensor-day")
    assert april["not_known"] == "no effort is known"
    assert found["total"]["rate"] is None
    other = (date(2026, 3, 6), date(2026, 3, 31))
    assert compare(filled.store, replace(MARCH, last=date(2026, 3, 5)), other).result is None


def test_a_single_day_needs_half_a_sensor_day(filled: Filled) -> None:
    for day, hours in ((1, 23), (2, 12), (3, 11)):
        start = datetime(2026, 3, day, tzinfo=SHANGHAI)
        filled.write(effort_of(start, start + timedelta(hours=hours), station="ridge-01", sensor="camera"))
    asked = replace(MARCH, unit="day", last=date(2026, 3, 3))
    cells = rate_trend(filled.store, asked).overall.cells
    assert [cell.rate.per_100_days for cell in cells] == [0, 0, None]
    week = rate_trend(filled.store, replace(asked, unit="week", first=date(2026, 3, 2))).overall.cells
    assert [cell.rate.per_100_days for cell in week] == [None]  # 23 hours


def test_records_on_days_without_known_effort_do_not_raise_the_rate(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-03-11")
    filled.seen("2026-03-02T06:00:00")
    filled.seen("2026-03-20T06:00:00")
    filled.seen("2026-03-02T06:00:00", station="ridge-02")
    march = rate_trend(filled.store, MARCH).overall.cells[0]
    assert (march.independent, march.rate.count, march.rate.per_100_days) == (3, 1, 10)


def test_a_day_is_a_local_day_of_the_reader(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-05-01")
    filled.seen("2026-04-01T01:00:00")
    assert [cell.independent for cell in rate_trend(filled.store, MARCH).overall.cells] == [0, 1]
    london = rate_trend(filled.store, replace(MARCH, zone=ZoneInfo("Europe/London")))
    assert [cell.independent for cell in london.overall.cells] == [1, 0]
    # March has 743 hours in London; the effort ends seven hours before its April does.
    assert [cell.rate.effort_days for cell in london.overall.cells] == [pytest.approx(n / 24) for n in (743, 713)]


def test_captures_within_half_an_hour_are_one_record_with_the_largest_group(filled: Filled) -> None:
    for minute, times in ((0, 1), (10, 3), (20, 2), (40, 1)):
        filled.seen(f"2026-03-02T06:{minute:02}:00", times=times)
    cell = rate_trend(filled.store, MARCH).overall.cells[0]
    assert (cell.captures, cell.independent, cell.animals) == (4, 2, 4)
    last = rate_trend(filled.store, replace(MARCH, compared_to="last record")).overall.cells[0]
    assert (last.captures, last.independent, last.animals) == (4, 1, 3)
    every = rate_trend(filled.store, replace(MARCH, independence=timedelta(0))).overall.cells[0]
    assert (every.independent, every.animals) == (4, 7)


def test_share_is_of_the_independent_records_of_all_animals(filled: Filled) -> None:
    filled.seen("2026-03-02T06:00:00")
    for hour in (1, 2, 3):
        filled.seen(f"2026-03-02T{hour:02}:00:00", "Cuon alpinus")
    assert rate_trend(filled.store, MARCH).overall.total.share == 0.25
    everything = rate_trend(filled.store, replace(MARCH, taxon=""))
    assert [(one.name, one.total.share) for one in everything.series] == [("Cuon alpinus", 0.75), ("Sus scrofa", 0.25)]
    assert everything.overall.total.share is None


def test_captures_whose_time_is_not_trusted_are_left_out_and_counted(filled: Filled) -> None:
    filled.seen("2026-03-02T06:00:00")
    filled.seen("2026-03-03T06:00:00", clock=Clock(source="copy", synchronised=False))
    found = rate_trend(filled.store, MARCH)
    assert (found.overall.total.captures, found.untrusted) == (1, 1)


def test_series_are_stations_places_or_habitats_with_their_own_effort(filled: Filled) -> None:
    for station, days in (("ridge-01", 10), ("ridge-02", 20), ("lake-07", 5)):
        filled.watched("2026-03-01", f"2026-03-{days + 1:02}", station)
        filled.seen("2026-03-02T06:00:00", station=station)
    for station, place, habitat in (("ridge-01", "North", "forest"), ("ridge-02", "North", "")):
        filled.write(msgspec.structs.replace(DEPLOYMENT, station=station, location_name=place, habitat=habitat))

    def found(group_by: str) -> dict[str, tuple[int, float]]:
        series = rate_trend(filled.store, replace(MARCH, group_by=group_by)).series  # type: ignore[arg-type]
        return {one.name: (one.total.independent, one.total.rate.effort_days) for one in series}

    assert found("station") == {"ridge-01": (1, 10), "ridge-02": (1, 20), "lake-07": (1, 5)}
    assert found("place") == {"North": (2, 30), "": (1, 5)}
    assert found("habitat") == {"forest": (1, 10), "": (2, 25)}


def test_a_sensor_limits_records_and_effort(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-03-11")
    filled.watched("2026-03-01", "2026-03-31", sensor="microphone")
    filled.seen("2026-03-02T06:00:00", sensor="camera")
    both = rate_trend(filled.store, MARCH)
    assert (both.overall.total.rate.effort_days, dict(both.sensors)) == (40, {"camera": 10, "microphone": 30})
    camera = rate_trend(filled.store, replace(MARCH, sensors=("camera",)))
    assert camera.overall.total.rate.per_100_days == 10
    assert rate_trend(filled.store, replace(MARCH, sensors=("microphone",))).overall.total.independent == 0


def test_negative_binomial_intervals_are_wider_where_stations_differ(filled: Filled) -> None:
    for number, records in enumerate((0, 0, 1, 14)):
        filled.watched("2026-03-01", "2026-03-31", f"s-{number}")
        for day in range(records):
            filled.seen(f"2026-03-{day + 1:02}T06:00:00", station=f"s-{number}")
    poisson = rate_trend(filled.store, MARCH).overall.cells[0].rate
    negative = rate_trend(filled.store, replace(MARCH, method="negative binomial")).overall.cells[0].rate
    assert negative.count == poisson.count == 15
    assert negative.per_100_days == pytest.approx(poisson.per_100_days, rel=1e-3)
    assert None not in (negative.low, negative.high, poisson.low, poisson.high)
    assert negative.high - negative.low > 2 * (poisson.high - poisson.low)  # type: ignore[operator]
    with pytest.raises(TooManyPeriods, match="negative-binomial"):
        rate_trend(
            filled.store,
            replace(MARCH, method="negative binomial", unit="day", group_by="station", last=date(2026, 8, 30)),
        )


def test_two_periods_are_compared_by_ratio_and_exact_test(filled: Filled) -> None:
    filled.watched("2026-03-01", "2026-05-01")
    for day in range(1, 13):
        filled.seen(f"2026-03-{day:02}T06:00:00")
    filled.seen("2026-04-02T06:00:00")
    march = replace(MARCH, last=date(2026, 3, 31))
    found = plain_comparison(compare(filled.store, march, (date(2026, 4, 1), date(2026, 4, 30))))
    assert found["ratio"] == pytest.approx(12 * 30 / 31)
    assert found["interval"][0] > 1
    assert 0 < found["p_value"] < 0.01
    unknown = plain_comparison(compare(filled.store, march, (date(2026, 7, 1), date(2026, 7, 31))))
    assert (unknown["ratio"], unknown["p_value"], unknown["sides"][1]["effort_days"]) == (None, None, None)


def test_a_period_is_not_compared_with_itself(filled: Filled) -> None:
    with pytest.raises(BadRequest, match="overlap"):
        compare(filled.store, MARCH, (date(2026, 4, 30), date(2026, 5, 31)))
    here, there = replace(MARCH, stations=("ridge-01",)), ("ridge-02",)
    assert compare(filled.store, here, stations=there).sides[1].stations == there


def test_changes_of_models_and_sensors_are_noted(filled: Filled) -> None:
    newer = msgspec.structs.replace(MODEL, version="99")
    filled.seen("2026-02-02T06:00:00")
    filled.seen("2026-03-10T06:00:00")
    filled.seen("2026-03-12T06:00:00", models=(newer,))
    for name, start, model in (("a", 1, "Old"), ("b", 20, "New")):
        at = datetime(2026, 3, start, tzinfo=SHANGHAI)
        sensors = (DeployedSensor(name="camera", model=model),)
        deployment: Deployment = msgspec.structs.replace(
            DEPLOYMENT, station="ridge-01", deployment=name, at=at, start=at, end=None, sensors=sensors
        )
        filled.write(deployment)
    found = rate_trend(filled.store, MARCH).changes
    assert [(one.kind, one.first, one.before, one.after, one.stations) for one in found] == [
        ("model", date(2026, 3, 11), f"{MODEL.name} {MODEL.version}", f"{MODEL.name} 99", ("ridge-01",)),
        ("sensor", date(2026, 3, 20), "Old", "New", ("ridge-01",)),
    ]
    assert rate_trend(filled.store, replace(MARCH, stations=("ridge-02",))).changes == ()
    assert rate_trend(filled.store, replace(MARCH, first=date(2026, 4, 1))).changes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": date(2026, 5, 1)}, "expected a last day no earlier"),
        ({"independence": timedelta(days=8)}, "independence interval"),
        ({"confidence": 1.0}, "confidence 1.0"),
        ({"min_confidence": 2.0}, "smallest confidence"),
    ],
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MARCH, **change)


@pytest.mark.parametrize("compared_to", ["last record", "last independent record"])
def test_many_groups_at_once_have_the_independent_records_of_each(compared_to: ComparedTo) -> None:
    random = np.random.default_rng(7)
    start = datetime(2026, 3, 1, tzinfo=SHANGHAI)
    for spread in (2_000, 200_000):
        groups = [np.sort(random.integers(0, spread, random.integers(0, 120))) for _ in range(30)]
        group = np.repeat(np.arange(30), [len(one) for one in groups])
        found = independent_mask(group, np.concatenate(groups) * 1000, timedelta(minutes=5), compared_to)
        expected = [
            independent_records(
                [start + timedelta(seconds=int(one)) for one in times], timedelta(minutes=5), compared_to
            )
            for times in groups
        ]
        assert found.tolist() == [one for each in expected for one in each]
