"""Which texts are times, and at which moment a local time is."""

# ruff: noqa: DTZ001 -- devices write times without a zone

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from captures.written_time import WrittenTime, parse_offset, parse_time

EVENING = datetime(2026, 5, 1, 22, 10, 11)
EAST = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    "text",
    [
        "2026:05:01 22:10:11",
        "2026-05-01 22:10:11",
        "2026/05/01 22:10:11",
        "2026.05.01 22.10.11",
        "2026-05-01T22:10:11",
        "2026:5:1 22:10:11",
        "2026: 5: 1 22:10:11",
        "2026-05-01_22-10-11",
        "2026:05:01 10:10:11 PM",
        "2026:05:01 10:10:11pm",
        "2026:05:01 10:10:11 p.m.",
        "2026:05:01 22:10:11 PM",
        "2026:05:01 下午 10:10:11",
        "05/01/2026 10:10:11 PM",
        "2026:05:01:22:10:11",
        "  2026:05:01  22:10:11 ",
        "2026-05-01 22h10m11s",
        "20260501221011",
        "20260501T221011",
    ],
)
def test_every_form_of_a_time_is_read(text: str) -> None:
    assert parse_time(text) == WrittenTime(EVENING)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-05-01T22:10:11+08:00", EAST),
        ("2026-05-01 22:10:11+0800", EAST),
        ("2026-05-01 22:10:11 +08", EAST),
        ("2026:05:01 22:10:11 UTC+8", EAST),
        ("2026-05-01T22:10:11Z", UTC),
        ("20260501T221011+0800", EAST),
        ("2026-05-01 22:10:11 GMT", UTC),
        ("2026:05:01 22:10:11-03:30", timezone(-timedelta(hours=3, minutes=30))),
        ("2026:05:01 22:10:11+99:00", None),
        ("2026:05:01 22:10:11 PDT", None),
    ],
)
def test_the_zone_may_be_in_the_text(text: str, zone: timezone | None) -> None:
    assert parse_time(text) == WrittenTime(EVENING, zone)


def test_seconds_and_their_fraction_may_be_missing() -> None:
    assert parse_time("2026-05-01T22:10-05:00") == WrittenTime(
        datetime(2026, 5, 1, 22, 10), timezone(-timedelta(hours=5))
    )
    assert parse_time("2026-05-01 22:10:11.25") == WrittenTime(EVENING.replace(microsecond=250_000))
    assert parse_time("2026-05-01 22:10:11.123456789") == WrittenTime(EVENING.replace(microsecond=123_456))


@pytest.mark.parametrize(
    ("text", "hour"),
    [("12:00:00 AM", 0), ("12:00:00 PM", 12), ("1:00:00 AM", 1), ("上午 12:00:00", 0), ("下午 12:00:00", 12)],
)
def test_twelve_o_clock_is_midnight_or_noon(text: str, hour: int) -> None:
    found = parse_time(f"2026:05:01 {text}")
    assert found is not None and found.local == datetime(2026, 5, 1, hour)


def test_hour_24_is_the_start_of_the_next_day() -> None:
    assert parse_time("2026:05:01 24:04:20") == WrittenTime(datetime(2026, 5, 2, 0, 4, 20))
    assert parse_time("2026:12:31 24:00:00") == WrittenTime(datetime(2027, 1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2026:13:01 00:00:00",
        "2026:02:30 00:00:00",
        "2026:05:01 25:00:00",
        "2026:05:01 22:60:00",
        "2026:05:01",
        "9999:12:31 24:00:00",
        "05/06/2026 22:10:11",  # 5 June or 6 May
        "2026:\x1d5:01 22:10:11",
        "x" * 10_000,
        " " * 10_000,
    ],
)
def test_what_is_no_real_time_is_none(text: str) -> None:
    assert parse_time(text) is None


def test_the_order_of_day_and_month_is_known_where_only_one_gives_a_date() -> None:
    assert parse_time("31/05/2026 22:10:11") == WrittenTime(datetime(2026, 5, 31, 22, 10, 11))
    assert parse_time("05.31.2026 22:10:11") == WrittenTime(datetime(2026, 5, 31, 22, 10, 11))


@pytest.mark.parametrize("text", ["+15:00", "+08:10", "8", "+8:5", "", "   :  ", ".5"])
def test_what_is_no_offset_of_a_place_is_none(text: str) -> None:
    assert parse_offset(text) is None


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (datetime(2026, 12, 1, 12), datetime(2026, 12, 1, 11, tzinfo=UTC)),
        (datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped
        (datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # occurs twice
        (datetime(2026, 10, 25, 3, 30), datetime(2026, 10, 25, 2, 30, tzinfo=UTC)),
    ],
)
def test_a_local_time_is_read_with_the_summer_time_of_its_zone(local: datetime, utc: datetime) -> None:
    moment = WrittenTime(local).at(BERLIN)
    assert moment.astimezone(UTC) == utc
    assert moment + timedelta(hours=1) - moment == timedelta(hours=1)
    assert (moment + timedelta(days=180)).utcoffset() == moment.utcoffset()  # a fixed offset


def test_a_written_zone_wins_over_the_zone_of_the_settings() -> None:
    assert WrittenTime(EVENING, UTC).at(BERLIN) == EVENING.replace(tzinfo=UTC)


def test_offsets_of_local_mean_times_are_rounded_to_minutes() -> None:
    assert WrittenTime(datetime(1850, 1, 1)).at(ZoneInfo("Asia/Shanghai")).utcoffset() == timedelta(hours=8, minutes=6)
