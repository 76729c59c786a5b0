"""What a ranger reads above a flagged capture, in both languages."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from casebook.flags import Flag
from contract.severity import Severity
from i18n.flag_sentences import reasons
from i18n.language import load_languages

LANGUAGES = load_languages(ZoneInfo("Asia/Shanghai"))
ZONE = {"zone": "lake-west", "zone_zh": "西湖滩禁猎区", "zone_en": "West Lakeshore no-hunting area"}
NIGHT = {"hours_start": "sunset", "hours_end": "sunrise", "night": "yes"}
CLOSED = {"season_start": "03-01", "season_end": "08-31"}


def flag(rule: str, severity: Severity, label: str = "person", **values: str) -> Flag:
    found = {"label": label, "confidence": "0.91", **values}
    return Flag("0", rule, severity, "human", datetime(2026, 4, 12, tzinfo=UTC), found)


def told(language: str, *flags: Flag) -> list[str]:
    return [one.sentence for one in reasons(flags, LANGUAGES[language])]


def test_several_rules_explain_themselves_in_one_sentence_under_the_highest_severity() -> None:
    flags = (
        flag("closed", "warning", **ZONE, **CLOSED),
        flag("night", "urgent", **ZONE, **NIGHT),
        flag("any", "notice"),
    )
    assert told("en", *flags) == [
        "person at night in West Lakeshore no-hunting area, closed season Mar 1 to Aug 31",
    ]
    assert told("zh_CN", *flags) == ["夜间西湖滩禁猎区发现人，禁猎期 3月1日至8月31日"]
    assert reasons(flags, LANGUAGES["en"])[0].severity == "urgent"


def test_different_things_keep_a_sentence_each_the_most_severe_first() -> None:
    flags = (flag("any", "notice"), flag("shot", "urgent", "gunshot", stations="3"))
    assert told("en", *flags) == ["gunshot at this station, heard by 3 stations", "person at this station"]


@pytest.mark.parametrize(
    ("values", "english", "chinese"),
    [
        (
            {"hours_start": "sunset-00:30", "hours_end": "24:00", "hours_start_at": "18:47"},
            "person at this station, between sunset-00:30 (18:47) and 24:00",
            "本站点发现人，日落-00:30（18:47） 至 24:00 之间",
        ),
        (
            {"hours_start": "08:00", "hours_end": "17:00"},
            "person at this station, between 08:00 and 17:00",
            "本站点发现人，08:00 至 17:00 之间",
        ),
        ({"protection": "I"}, "person at this station, national first-class protection", "本站点发现人，国家一级保护"),
        ({"protection": "省级"}, "person at this station, protection: 省级", "本站点发现人，保护级别：省级"),
        (
            {"time_unknown": "yes"},
            "person at this station, time of the capture not known",
            "本站点发现人，采集时间未知",
        ),
    ],
)
def test_every_condition_has_its_clause(values: dict[str, str], english: str, chinese: str) -> None:
    assert told("en", flag("x", "notice", **values)) == [english]
    assert told("zh_CN", flag("x", "notice", **values)) == [chinese]


def test_a_reason_is_closed_when_all_of_its_flags_are() -> None:
    def closed(one: Flag) -> Flag:
        return replace(one, state="closed", closed_by="张")

    first, second = flag("a", "notice"), flag("b", "warning")
    assert reasons([closed(first), second], LANGUAGES["en"])[0].closed_by is None
    assert reasons([closed(first), closed(second)], LANGUAGES["en"])[0].closed_by == "张"
