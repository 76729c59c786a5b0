"""Times and figures are written so that they are read at a glance, in both languages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from i18n.language import load_languages

LANGUAGES = load_languages(ZoneInfo("Asia/Shanghai"))
NIGHT = datetime(2026, 11, 24, 15, 59, 58, tzinfo=UTC)  # two seconds to midnight in Shanghai


def plain(text: str) -> str:
    return text.replace("\u202f", " ")  # what some editions of the locale's data put before AM and PM


def test_a_stretch_of_time_says_once_what_both_ends_share() -> None:
    chinese, english = LANGUAGES["zh_CN"], LANGUAGES["en"]
    earlier = NIGHT - timedelta(minutes=5)
    assert chinese.time_range(earlier, NIGHT) == "2026年11月24日 23:54:58 – 23:59:58"
    assert plain(english.time_range(earlier, NIGHT)) == "Nov 24, 2026, 11:54:58 PM – 11:59:58 PM"
    assert chinese.time_range(NIGHT, NIGHT + timedelta(milliseconds=900)) == "2026年11月24日 23:59:58"
    over_midnight = NIGHT + timedelta(seconds=3)
    assert chinese.time_range(NIGHT, over_midnight) == "2026年11月24日 23:59:58 – 2026年11月25日 00:00:01"


@pytest.mark.parametrize(
    ("value", "written"), [(1.0, "99%"), (0.999, "99%"), (0.994, "99%"), (0.125, "12%"), (0, "0%")]
)
def test_nothing_is_called_certain_that_is_not(value: float, written: str) -> None:
    assert LANGUAGES["zh_CN"].percent(value) == written
