"""Trends are counted in local days and hours, with every day there, and a day nobody could mean is refused."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import Clock, Detection, Event, Model, encode, new_event_id
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from pipelines.trends.counting import LONGEST_DAYS, BadPeriod, count_trends, first_of, local_midnight, stretches
from wildpost.cli import trends as trends_command
from wildpost.cli.server_request import CannotCount

SHANGHAI = ZoneInfo("Asia/Shanghai")
MODEL = Model(name="test", version="1", sha256="0" * 64)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    opened = DuckDbStore(tmp_path / "detections.duckdb")
    yield opened
    opened.close()


def seen(
    store: DuckDbStore, at: str, label: str = "Hydropotes inermis", times: int = 1, station: str = "ridge-07"
) -> Event:
    capture = received(datetime.fromisoformat(at), label, times, station)
    store.write([capture])
    assert isinstance(capture.record, Event)
    return capture.record


def received(at: datetime, label: str = "Hydropotes inermis", times: int = 1, station: str = "ridge-07") -> Received:
    detections = tuple(
        Detection(ordinal=number, label=label, observation_type="animal", confidence=0.9, model="test")
        for number in range(times)
    )
    event = Event(
        event_id=new_event_id(),
        station=station,
        sensor="camera",
        deployment="ridge-07-a",
        captured_at=at,
        clock=Clock(source="ntp", synchronised=True),
        boot_id=new_event_id(),
        sequence=0,
        capture="picture",
        models=(MODEL,),
        detections=detections,
        media=(),
    )
    return Received(event, encode(event), at)


def test_a_capture_before_midnight_utc_counts_on_the_local_day_after(store: DuckDbStore) -> None:
    seen(store, "2026-05-30T23:59:59+00:00")
    found = count_trends(store, date(2026, 5, 30), date(2026, 5, 31), SHANGHAI)
    assert found.taxa[0].by_day == (0, 1)
    assert [hour for hour, count in enumerate(found.taxa[0].by_hour) if count] == [7]


def test_the_ends_of_the_period_are_local_midnights(store: DuckDbStore) -> None:
    seen(store, "2026-05-30T23:59:59+08:00")
    seen(store, "2026-05-31T00:00:00+08:00")
    seen(store, "2026-05-31T23:59:59+08:00")
    seen(store, "2026-06-01T00:00:00+08:00")
    assert count_trends(store, date(2026, 5, 31), date(2026, 5, 31), SHANGHAI).taxa[0].detections == 2


def test_an_offset_of_quarters_of_an_hour_moves_no_capture_into_another_hour(store: DuckDbStore) -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")
    seen(store, "2026-05-31T06:00:00+05:45")
    seen(store, "2026-05-31T06:59:59+05:45")
    assert count_trends(store, date(2026, 5, 31), date(2026, 5, 31), kathmandu).taxa[0].by_hour[6] == 2


def test_a_day_of_23_and_one_of_25_hours_are_days(store: DuckDbStore) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert local_midnight(date(2026, 3, 30), berlin) - local_midnight(date(2026, 3, 29), berlin) == timedelta(hours=23)
    seen(store, "2026-10-25T00:30:00+00:00")  # 02:30, the first time
    seen(store, "2026-10-25T01:30:00+00:00")  # 02:30 again
    found = count_trends(store, date(2026, 10, 24), date(2026, 10, 26), berlin).taxa[0]
    assert found.by_day == (0, 2, 0)
    assert found.by_hour[2] == 2


@pytest.mark.parametrize(
    ("place", "first", "last"),
    [
        ("Asia/Shanghai", date(2026, 1, 1), date(2026, 12, 31)),
        ("Asia/Kathmandu", date(2026, 1, 1), date(2026, 12, 31)),
        ("Europe/Berlin", date(2024, 3, 20), date(2026, 11, 3)),
        ("Australia/Lord_Howe", date(2025, 3, 20), date(2026, 11, 3)),  # moves its clocks by half an hour
        ("America/Sao_Paulo", date(2017, 10, 1), date(2019, 3, 1)),  # where midnight was skipped, and came twice
        ("Pacific/Apia", date(2011, 12, 30), date(2012, 4, 3)),  # where 30 December 2011 never was
        ("Pacific/Apia", date(2011, 9, 1), date(2011, 12, 30)),
        ("Asia/Shanghai", date(1900, 12, 25), date(1901, 1, 5)),  # which kept the sun's time, 8:05:43
        ("Africa/Casablanca", date(2016, 1, 1), date(2016, 12, 31)),  # four changes a year
    ],
)
def test_every_capture_counts_on_the_day_and_in_the_hour_that_clocks_showed(
    store: DuckDbStore, place: str, first: date, last: date
) -> None:
    zone, random = ZoneInfo(place), Random(place)
    start, end = local_midnight(first, zone), local_midnight(last + timedelta(days=1), zone)
    changes = [stretch.start for stretch in stretches(first, last, zone)]
    near = [change + timedelta(seconds=random.randint(-10_000, 10_000)) for change in changes for _ in range(40)]
    spread = [start + (end - start) * random.random() for _ in range(400)]
    captures = [one for one in (*near, *changes, *spread) if start <= one < end]
    store.write([received(at, random.choice(["Hydropotes inermis", "Capreolus pygargus"])) for at in captures])
    trends = count_trends(store, first, last, zone)
    days: Counter[date] = Counter()
    hours: Counter[int] = Counter()
    for at in captures:
        days[at.astimezone(zone).date()] += 1
        hours[at.astimezone(zone).hour] += 1
    assert [sum(one.by_day[number] for one in trends.taxa) for number in range(len(trends.days))] == [
        days[day] for day in trends.days
    ]
    assert [sum(one.by_hour[hour] for one in trends.taxa) for hour in range(24)] == [hours[hour] for hour in range(24)]
    assert days.total() == len(captures) == sum(one.events for one in trends.taxa)


def test_clocks_that_never_change_make_one_stretch_and_summer_time_three_a_year() -> None:
    year = date(2026, 1, 1), date(2026, 12, 31)
    assert len(stretches(*year, SHANGHAI)) == 1
    winter, summer, again = stretches(*year, ZoneInfo("Europe/Berlin"))
    assert summer.start == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert again.start == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert [one.offset for one in (winter, summer, again)] == [timedelta(hours=hours) for hours in (1, 2, 1)]


def test_detections_are_counted_beside_the_captures_that_hold_them(store: DuckDbStore) -> None:
    seen(store, "2026-05-31T06:00:00+08:00", times=3)
    found = count_trends(store, date(2026, 5, 31), date(2026, 5, 31), SHANGHAI).taxa[0]
    assert (found.detections, found.events) == (3, 1)


def test_days_and_hours_sum_to_the_same_and_the_most_frequent_comes_first(store: DuckDbStore) -> None:
    for hour in range(6):
        seen(store, f"2026-05-{10 + hour}T{hour:02}:10:00+08:00", "wild boar" if hour < 4 else "Hydropotes inermis")
    found = count_trends(store, date(2026, 5, 1), date(2026, 5, 31), SHANGHAI)
    assert [one.taxon for one in found.taxa] == ["Sus scrofa", "Hydropotes inermis"]
    assert all(sum(one.by_day) == sum(one.by_hour) == one.detections for one in found.taxa)
    assert all(len(one.by_day) == 31 == len(found.days) for one in found.taxa)


def test_a_correction_moves_the_count_and_a_dismissal_takes_it_out(store: DuckDbStore) -> None:
    event = seen(store, "2026-05-31T06:00:00+08:00", times=2)
    now = datetime.now(UTC)
    store.apply_verdicts(
        [
            Verdict(event.event_id, 0, "corrected", "animal", "dhole", "Cuon alpinus", "ranger", now),
            Verdict(event.event_id, 1, "dismissed", "blank", "Hydropotes inermis", None, "ranger", now),
        ]
    )
    found = count_trends(store, date(2026, 5, 31), date(2026, 5, 31), SHANGHAI)
    assert [(one.taxon, one.detections) for one in found.taxa] == [("Cuon alpinus", 1)]


def test_one_station_and_one_taxon_can_be_asked_for(store: DuckDbStore) -> None:
    seen(store, "2026-05-31T06:00:00+08:00")
    seen(store, "2026-05-31T06:00:00+08:00", station="ridge-08")
    seen(store, "2026-05-31T06:00:00+08:00", "Cuon alpinus", station="ridge-08")
    found = count_trends(store, date(2026, 5, 31), date(2026, 5, 31), SHANGHAI, ("ridge-08",), ("Hydropotes inermis",))
    assert [(one.taxon, one.detections) for one in found.taxa] == [("Hydropotes inermis", 1)]


def test_one_taxon_of_all_is_what_a_count_of_it_alone_is(store: DuckDbStore) -> None:
    event = seen(store, "2026-05-31T06:00:00+08:00", times=2)
    seen(store, "2026-05-30T07:00:00+08:00", "Cuon alpinus")
    store.apply_verdicts(
        [Verdict(event.event_id, 1, "corrected", "human", "Hydropotes inermis", None, "ranger", datetime.now(UTC))]
    )
    period = date(2026, 5, 30), date(2026, 5, 31), SHANGHAI
    alone = count_trends(store, *period, taxa=("Hydropotes inermis",))
    assert len(alone.taxa) == 2
    assert count_trends(store, *period).only("Hydropotes inermis") == alone


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 6, 1), date(2026, 5, 31)),
        (date(2000, 1, 1), date(2026, 5, 31)),
        (date(1, 1, 1), date(1, 1, 2)),
        (date(9999, 12, 30), date(9999, 12, 31)),
    ],
)
def test_a_period_nobody_could_mean_is_refused(store: DuckDbStore, first: date, last: date) -> None:
    with pytest.raises(BadPeriod, match=str(first)):
        count_trends(store, first, last, SHANGHAI)


@pytest.mark.parametrize("days", [0, -1, LONGEST_DAYS + 1, 10**30])
def test_a_number_of_days_nobody_could_mean_is_refused(days: int) -> None:
    with pytest.raises(BadPeriod, match=f"{days} days"):
        first_of(date(2026, 5, 31), days)


def test_the_command_refuses_such_days_in_words(tmp_path: Path) -> None:
    whole = argparse.ArgumentParser()
    trends_command.add(whole.add_subparsers())
    arguments = whole.parse_args(["trends", "--days", "99999999999", "--data", str(tmp_path)])
    with pytest.raises(BadPeriod, match="expected 1 to"):
        arguments.run(arguments)


def test_asking_where_nothing_is_kept_says_so_and_makes_no_folder(tmp_path: Path) -> None:
    whole = argparse.ArgumentParser()
    trends_command.add(whole.add_subparsers())
    arguments = whole.parse_args(["trends", "--data", str(tmp_path / "elsewhere")])
    with pytest.raises(CannotCount, match=r"elsewhere/detections\.duckdb: no such database; name the"):
        arguments.run(arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_how_many_captures_have_no_known_time(
    store: DuckDbStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = received(datetime(2026, 5, 31, 12, tzinfo=UTC), "fox", 3)
    copied = msgspec.structs.replace(capture.record, clock=Clock(source="copy", synchronised=False))
    store.write([msgspec.structs.replace(capture, record=copied, payload=encode(copied))])
    store.close()
    whole = argparse.ArgumentParser()
    trends_command.add(whole.add_subparsers())
    arguments = whole.parse_args(["trends", "--to", "2026-05-31", "--data", str(tmp_path)])
    assert arguments.run(arguments) == 0
    assert "1 captures are left out because their time is not trusted" in capsys.readouterr().err
