"""When the sun rises and sets, also where it does neither."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import Location
from ingest.rules.rule_set import Hours
from ingest.rules.sun import is_sun_event, sun_event_time

CHINA = ZoneInfo("Asia/Shanghai")
BEIJING = Location(latitude=39.9, longitude=116.4)
TROMSO = Location(latitude=69.65, longitude=18.95)
NIGHT = Hours(start="sunset", end="sunrise")
DAY = Hours(start="sunrise", end="sunset")


@pytest.mark.parametrize(
    ("place", "zone", "day", "edge", "published"),
    [
        (BEIJING, "Asia/Shanghai", date(2026, 6, 21), "sunrise", "04:46"),
        (BEIJING, "Asia/Shanghai", date(2026, 6, 21), "sunset", "19:46"),
        (BEIJING, "Asia/Shanghai", date(2026, 12, 22), "sunrise", "07:33"),
        (BEIJING, "Asia/Shanghai", date(2026, 12, 22), "sunset", "16:53"),
        (Location(latitude=51.48, longitude=0.0), "Europe/London", date(2026, 6, 21), "sunrise", "04:43"),
        (Location(latitude=-33.87, longitude=151.21), "Australia/Sydney", date(2026, 6, 21), "sunset", "16:54"),
    ],
)
def test_the_sun_rises_and_sets_when_almanacs_say(
    place: Location, zone: str, day: date, edge: str, published: str
) -> None:
    found = sun_event_time(edge, day, ZoneInfo(zone), place)
    told = datetime.fromisoformat(f"{day}T{published}").replace(tzinfo=ZoneInfo(zone))
    assert abs(found - told) <= timedelta(minutes=2)


def test_hours_may_be_counted_from_a_turn_of_the_sun() -> None:
    sunset = sun_event_time("sunset", date(2026, 6, 21), CHINA, BEIJING)
    assert sun_event_time("sunset-00:30", date(2026, 6, 21), CHINA, BEIJING) == sunset - timedelta(minutes=30)
    assert sun_event_time("sunset+01:15", date(2026, 6, 21), CHINA, BEIJING) == sunset + timedelta(minutes=75)
    assert sun_event_time("dusk", date(2026, 6, 21), CHINA, BEIJING) > sunset


@pytest.mark.parametrize("text", ["noon", "sunset+7:00", "sunset+07:00", "sunset 00:30", "Sunset", ""])
def test_other_words_are_no_turns_of_the_sun(text: str) -> None:
    assert not is_sun_event(text)


@pytest.mark.parametrize(
    ("local", "night"),
    [("2026-06-21T04:30", True), ("2026-06-21T05:00", False), ("2026-06-21T19:30", False), ("2026-06-21T20:00", True)],
)
def test_night_goes_by_the_sun_of_the_place(local: str, night: bool) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=CHINA)
    assert (NIGHT.span(moment, BEIJING) is not None) is night
    urumqi = Location(latitude=43.8, longitude=87.6)  # the same clock, two hours further west
    assert NIGHT.span(datetime(2026, 6, 21, 20, 0, tzinfo=CHINA), urumqi) is None


@pytest.mark.parametrize(("month", "night"), [(6, False), (12, True)])
def test_where_the_sun_does_not_set_there_is_no_night_and_where_it_does_not_rise_no_day(
    month: int, night: bool
) -> None:
    for hour in range(24):
        moment = datetime(2026, month, 21, hour, 30, tzinfo=ZoneInfo("Europe/Oslo"))
        assert (NIGHT.span(moment, TROMSO) is not None) is night
        assert (DAY.span(moment, TROMSO) is not None) is not night


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001, the time zone is put on below
    st.floats(-60, 60),
    st.floats(-180, 180),
)
def test_every_moment_is_day_or_night_and_never_both(moment: datetime, latitude: float, longitude: float) -> None:
    place = Location(latitude=latitude, longitude=longitude)
    # Local time as of the place: days of the clock and of the sun then go together.
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(f"Etc/GMT{-round(longitude / 15):+d}"))
    night, day = NIGHT.span(local, place), DAY.span(local, place)
    if night is None and day is None:
        # Yesterday's night ends at yesterday's reckoning of today's sunrise: no more than that may lie between.
        assert DAY.span(local + timedelta(minutes=5), place) or NIGHT.span(local + timedelta(minutes=5), place)
    assert night is None or day is None


def test_hours_by_the_sun_want_a_place() -> None:
    with pytest.raises(ValueError, match="expected a place"):
        NIGHT.span(datetime(2026, 6, 21, tzinfo=CHINA), None)
