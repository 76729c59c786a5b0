"""Which names of time zones are accepted."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from captures.time_zones import zone_named


def test_a_zone_is_a_name_or_an_offset() -> None:
    assert zone_named("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert zone_named("UTC") == ZoneInfo("UTC")
    assert datetime(2026, 7, 1, tzinfo=zone_named("-03:30")).utcoffset() == -timedelta(hours=3, minutes=30)


@pytest.mark.parametrize(
    "name", ["", "Europe", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "+8:5", "+15:00", "a\0b"]
)
def test_other_names_are_refused_with_what_was_expected(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name such as Europe/Berlin"):
        zone_named(name)
