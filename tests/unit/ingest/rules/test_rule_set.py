"""Which captures are flagged, and with which words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from casebook.flags import Flag
from casebook.incidents.corroboration import Corroboration
from contract import Clock, Event, Location
from contract.examples import EVENT, SOUND_EVENT
from contract.messages import ClockSource
from ingest.rules.rule_set import Hours, Rule, RulesError, RuleSet, RulesOptions, Season, load_rules
from ingest.rules.zones import Zone, ZonesError, read_zones
from tests.repository import REPOSITORY

ZONES = REPOSITORY / "configs" / "zones.geojson"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CLOSED = Season(start="03-01", end="08-31")
NIGHT = Hours(start="19:00", end="05:30")


@pytest.fixture(scope="module")
def zones() -> Sequence[Zone]:
    return read_zones(ZONES)


def judged(zones: Sequence[Zone], event: Event, rule: Rule, time_zone: str = "Asia/Shanghai") -> list[Flag]:
    return RuleSet(RulesOptions(time_zone=time_zone, rule=(rule,)), zones).evaluate(event, NOW)


def taken(local: str, event: Event = EVENT) -> Event:
    """The event as if taken then, in China."""
    return msgspec.structs.replace(event, captured_at=datetime.fromisoformat(f"{local}+08:00"))


def test_a_person_in_the_zone_and_the_closed_season_is_flagged_with_every_word_of_why(zones: Sequence[Zone]) -> None:
    rule = Rule(
        name="poacher", severity="urgent", observation_types=("human",), zones=("lake-west",), seasons=(CLOSED,),
        hours=(NIGHT,),
    )  # fmt: skip
    (flag,) = judged(zones, taken("2026-04-12T04:00"), rule)
    assert flag == Flag(
        event_id=EVENT.event_id,
        rule="poacher",
        severity="urgent",
        reason_key="human",
        raised_at=NOW,
        zone="lake-west",
        reason_values={
            "label": "person",
            "scientific_name": "Homo sapiens",
            "confidence": "0.91",
            "zone": "lake-west",
            "zone_zh": "西湖滩禁猎区",
            "zone_en": "West Lakeshore no-hunting area",
            "season_start": "03-01",
            "season_end": "08-31",
            "hours_start": "19:00",
            "hours_end": "05:30",
            "night": "yes",
            "local_time": "2026-04-12T04:00:00+08:00",
        },
        station=EVENT.station,
        at=datetime.fromisoformat("2026-04-12T04:00+08:00"),
    )


@pytest.mark.parametrize(
    ("local", "flagged"),
    [
        ("2026-02-28T12:00", False),
        ("2026-03-01T00:00", True),
        ("2026-08-31T23:59", True),
        ("2026-09-01T00:00", False),
    ],
)
def test_both_days_of_a_season_belong_to_it(zones: Sequence[Zone], local: str, flagged: bool) -> None:
    rule = Rule(name="season", observation_types=("human",), seasons=(CLOSED,))
    assert bool(judged(zones, taken(local), rule)) is flagged


@pytest.mark.parametrize(
    ("local", "flagged"),
    [
        ("2026-10-31T12:00", False),
        ("2026-11-01T12:00", True),
        ("2027-01-01T00:00", True),
        ("2027-02-29T12:00".replace("02-29", "02-28"), True),
        ("2028-02-29T12:00", True),
        ("2027-03-01T00:00", False),
    ],
)
def test_a_season_may_go_over_the_new_year(zones: Sequence[Zone], local: str, flagged: bool) -> None:
    rule = Rule(name="winter", observation_types=("human",), seasons=(Season(start="11-01", end="02-29"),))
    assert bool(judged(zones, taken(local), rule)) is flagged


@pytest.mark.parametrize(
    ("local", "flagged"), [("18:59", False), ("19:00", True), ("00:00", True), ("05:29", True), ("05:30", False)]
)
def test_hours_may_go_over_midnight_and_end_before_their_end(zones: Sequence[Zone], local: str, flagged: bool) -> None:
    rule = Rule(name="night", observation_types=("human",), hours=(NIGHT,))
    assert bool(judged(zones, taken(f"2026-06-01T{local}"), rule)) is flagged


def test_seasons_and_hours_are_in_the_time_of_the_place_not_of_the_station(zones: Sequence[Zone]) -> None:
    event = msgspec.structs.replace(EVENT, captured_at=datetime(2026, 6, 1, 12, 0, tzinfo=UTC))  # 20:00 in Shanghai
    rule = Rule(name="night", observation_types=("human",), hours=(NIGHT,))
    assert judged(zones, event, rule)
    assert not judged(zones, event, rule, time_zone="Europe/London")


@pytest.mark.parametrize(
    ("latitude", "longitude", "flagged"),
    [(31.0, 117.3, True), (30.90, 117.30, True), (30.89, 117.3, False), (117.3 - 90, 31.0, False)],
)
def test_a_zone_holds_its_border_and_nothing_beyond(
    zones: Sequence[Zone], latitude: float, longitude: float, flagged: bool
) -> None:
    event = msgspec.structs.replace(EVENT, location=Location(latitude=latitude, longitude=longitude))
    rule = Rule(name="zone", observation_types=("human",), zones=("lake-west",))
    assert bool(judged(zones, event, rule)) is flagged


def test_an_event_without_a_place_is_in_no_zone_but_anywhere(zones: Sequence[Zone]) -> None:
    event = msgspec.structs.replace(EVENT, location=None)
    assert not judged(zones, event, Rule(name="zone", observation_types=("human",), zones=("lake-west",)))
    (flag,) = judged(zones, event, Rule(name="anywhere", observation_types=("human",)))
    assert flag.zone is None


def test_a_capture_without_a_clock_is_flagged_whatever_the_hour_and_says_so(zones: Sequence[Zone]) -> None:
    clockless = msgspec.structs.replace(taken("1970-01-01T12:00"), clock=Clock(source="none", synchronised=False))
    rule = Rule(name="night", observation_types=("human",), hours=(NIGHT,), seasons=(CLOSED,))
    (flag,) = judged(zones, clockless, rule)
    assert flag.reason_values["time_unknown"] == "yes"
    assert "hours_start" not in flag.reason_values


@pytest.mark.parametrize(
    ("local", "source"),
    [
        ("2026-06-01T12:00", "copy"),
        ("2026-06-01T12:00", "none"),
        ("1989-06-01T12:00", "exif"),
        ("2031-06-01T12:00", "exif"),  # the future
        ("2569-06-01T12:00", "name"),
    ],
)
def test_a_time_that_is_not_that_of_the_capture_meets_every_season_and_hour(
    zones: Sequence[Zone], local: str, source: ClockSource
) -> None:
    event = msgspec.structs.replace(taken(local), clock=Clock(source=source, synchronised=False))
    winter = Season(start="12-01", end="12-31")
    (flag,) = judged(zones, event, Rule(name="night", observation_types=("human",), hours=(NIGHT,), seasons=(winter,)))
    assert flag.reason_values["time_unknown"] == "yes"
    believed = msgspec.structs.replace(taken("2026-06-01T12:00"), clock=Clock(source="name", synchronised=False))
    assert not judged(zones, believed, Rule(name="night", observation_types=("human",), hours=(NIGHT,)))


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_clock_at_the_end_of_time_is_no_crash(zones: Sequence[Zone], moment: datetime) -> None:
    event = msgspec.structs.replace(EVENT, captured_at=moment)
    rule = Rule(name="person", observation_types=("human",), hours=(Hours(start="00:00", end="24:00"),))
    for time_zone in ("Asia/Shanghai", "America/New_York"):
        assert len(judged(zones, event, rule, time_zone)) == 1


SHOT = msgspec.structs.replace(
    SOUND_EVENT,
    detections=(msgspec.structs.replace(SOUND_EVENT.detections[0], ordinal=3, label="gunshot", confidence=0.6),),
)


def test_what_several_stations_heard_counts_together(zones: Sequence[Zone]) -> None:
    rules = RuleSet(RulesOptions(rule=(Rule(name="shot", labels=("gunshot",), min_confidence=0.8),)), zones)
    assert not rules.evaluate(SHOT, NOW)
    (flag,) = rules.evaluate(SHOT, NOW, {3: Corroboration(0.84, ("marsh-02", "marsh-03"))})
    assert (flag.reason_values["confidence"], flag.reason_values["stations"]) == ("0.84", "2")


def test_a_rule_may_ask_for_several_stations(zones: Sequence[Zone]) -> None:
    rules = RuleSet(RulesOptions(rule=(Rule(name="shot", labels=("gunshot",), min_stations=2),)), zones)
    assert not rules.evaluate(SHOT, NOW)
    assert not rules.evaluate(SHOT, NOW, {3: Corroboration(0.99, ("marsh-02",))})
    assert rules.evaluate(SHOT, NOW, {3: Corroboration(0.84, ("marsh-02", "marsh-03"))})


def test_a_rule_may_be_about_a_level_of_protection(zones: Sequence[Zone]) -> None:
    rules = RuleSet(RulesOptions(rule=(Rule(name="first", protection=("I",)),)), zones, {"botaurus": "I"})
    (flag,) = rules.evaluate(SOUND_EVENT, NOW)
    assert (flag.reason_key, flag.reason_values["protection"]) == ("animal", "I")
    assert not rules.evaluate(EVENT, NOW)


def test_hours_by_the_sun_say_when_that_was(zones: Sequence[Zone]) -> None:
    rule = Rule(name="night", observation_types=("human",), hours=(Hours(start="sunset-00:30", end="sunrise"),))
    (flag,) = judged(zones, taken("2026-06-21T18:50"), rule)  # at 31.0 N 117.3 E the sun sets at 19:17
    assert flag.reason_values["hours_start"] == "sunset-00:30"
    assert flag.reason_values["hours_start_at"] == "18:47"
    assert flag.reason_values["hours_end_at"] == "05:07"
    assert flag.reason_values["night"] == "yes"
    assert not judged(zones, taken("2026-06-21T18:30"), rule)


def test_hours_by_the_sun_without_a_place_are_taken_as_met_and_say_so(zones: Sequence[Zone]) -> None:
    rule = Rule(name="night", observation_types=("human",), hours=(Hours(start="sunset", end="sunrise"),))
    nowhere = msgspec.structs.replace(taken("2026-06-21T12:00"), location=None)
    (flag,) = judged(zones, nowhere, rule)
    assert flag.reason_values["place_unknown"] == "yes"
    options = RulesOptions(rule=(rule,), place=Location(latitude=31.0, longitude=117.3))
    assert not RuleSet(options, zones).evaluate(nowhere, NOW)


def test_an_unsure_detection_is_passed_over(zones: Sequence[Zone]) -> None:
    assert not judged(zones, EVENT, Rule(name="sure", observation_types=("human",), min_confidence=0.92))
    assert judged(zones, EVENT, Rule(name="sure", observation_types=("human",), min_confidence=0.91))


def test_a_rule_may_be_about_labels_or_scientific_names(zones: Sequence[Zone]) -> None:
    (flag,) = judged(zones, SOUND_EVENT, Rule(name="bittern", labels=("gunshot", "Botaurus stellaris")))
    assert (flag.reason_key, flag.reason_values["label"]) == ("label", "Eurasian Bittern")
    assert not judged(zones, SOUND_EVENT, Rule(name="shot", labels=("gunshot",)))


def test_all_conditions_of_a_rule_must_hold(zones: Sequence[Zone]) -> None:
    assert not judged(zones, EVENT, Rule(name="both", observation_types=("vehicle",), labels=("person",)))


def test_each_rule_flags_once_by_its_surest_detection(zones: Sequence[Zone]) -> None:
    twice = msgspec.structs.replace(
        EVENT,
        detections=tuple(
            msgspec.structs.replace(EVENT.detections[0], ordinal=n, confidence=c) for n, c in enumerate((0.6, 0.8))
        ),
    )
    (flag,) = judged(zones, twice, Rule(name="person", observation_types=("human",)))
    assert flag.reason_values["confidence"] == "0.80"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"name": "x"}, "expected observation_types or labels"),
        ({"name": "x", "labels": ["a"], "min_confidence": 2}, "outside 0..1"),
        ({"name": "x", "labels": ["a"], "seasons": [{"start": "3-1", "end": "08-31"}]}, "two digits each"),
        ({"name": "x", "labels": ["a"], "seasons": [{"start": "02-30", "end": "08-31"}]}, "month and day such as"),
        ({"name": "x", "labels": ["a"], "hours": [{"start": "19", "end": "05:00"}]}, "hour '19'"),
        ({"name": "x", "labels": ["a"], "zone": "lake-west"}, "unknown field `zone`"),
        ({"name": "x", "observation_types": ["person"]}, "Invalid enum value 'person'"),
    ],
)
def test_a_mistake_in_a_rule_is_named(rule: dict[str, object], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert({"rule": [rule]}, RulesOptions)


def test_mistakes_between_rules_and_zones_are_named(zones: Sequence[Zone]) -> None:
    with pytest.raises(RulesError, match=r"'x' names zones \['nowhere'\]: known are \['lake-west', 'north-ridge'\]"):
        RuleSet(RulesOptions(rule=(Rule(name="x", labels=("a",), zones=("nowhere",)),)), zones)
    with pytest.raises(RulesError, match="share a name"):
        RuleSet(RulesOptions(rule=(Rule(name="x", labels=("a",)), Rule(name="x", labels=("b",)))), zones)
    with pytest.raises(RulesError, match="'Mars/Olympus'"):
        RuleSet(RulesOptions(time_zone="Mars/Olympus"), zones)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"features": [{"properties": {}, "geometry": {}}]}', "`id`"),
        ('{"features": [{"properties": {"id": "a"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}', "Point"),
        ('{"features": [{"properties": {"id": "a"}, "geometry": {"type": "Blob", "coordinates": 3}}]}', "zone 'a'"),
        ('{"features": [{"properties": {"id": "a"}, "geometry": {}}]}', "zone 'a'"),
        (
            '{"features": [{"properties": {"id": "a"}, "geometry": {"type": "Polygon", '
            '"coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}}]}',
            "Self-intersection",
        ),
    ],
)
def test_a_mistake_in_the_zones_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "zones.geojson"
    path.write_text(text)
    with pytest.raises(ZonesError, match=told):
        load_rules(RulesOptions(zones="zones.geojson"), tmp_path)


def test_a_zones_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZonesError, match=r"nothing\.geojson"):
        load_rules(RulesOptions(zones="nothing.geojson"), tmp_path)
