"""A photograph of a fox becomes a fox in rules, pages, trends and exports; what a person says still wins."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from captures.picture import read_picture
from contract import Classification, Clock, Event, Location, Model, encode, new_event_id
from i18n.taxonomy import shipped_taxonomy
from ingest.rules.rule_set import Rule, RuleSet, RulesOptions
from ingest.store.counts import CountQuery
from ingest.store.port import Received
from models.crops import classify_animals
from models.factory import open_classifier, open_vision
from pipelines.camtrap_dp.classified import classify
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]  # fixture
FOX = "vision/camtrap_jura/renard/8.2 G (39).jpg"
FOXES = Rule(name="protected", severity="warning", protection=("II",), min_confidence=0.6)
WHOLE = 1_000_000
Filled = tuple[Pages, Event]


@pytest.fixture(scope="module")
def photographed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Event:
    """The event of a photograph, as a station with the default models makes it."""
    none = tmp_path_factory.mktemp("none")
    detector, classifier = open_vision("wildpost-nano", none), open_classifier("wildpost-species", none)
    path = shared_data / FOX
    found = detector.predict([detector.preprocess(path)])[0]
    place = Location(latitude=46.5, longitude=6.3)
    return event_of(
        tuple(classify_animals(classifier, read_picture(path, WHOLE).pixels, found, NOON, place)),
        (detector.model, classifier.model),
    )


def event_of(detections: Any, models: tuple[Model, ...]) -> Event:
    return Event(
        event_id=new_event_id(),
        station="ridge-07",
        sensor="camera",
        deployment="ridge-07-a",
        captured_at=NOON,
        clock=Clock(source="ntp", synchronised=True),
        boot_id=new_event_id(),
        sequence=0,
        capture="picture",
        models=models,
        detections=detections,
        media=(),
    )


@pytest.fixture
def filled(pages: Pages, photographed: Event) -> Iterator[Filled]:
    pages.store.write([Received(photographed, encode(photographed), datetime.now(UTC))])
    yield pages, photographed


def counted(one: Pages) -> dict[str, int]:
    query = CountQuery.in_utc(NOON - timedelta(days=1), NOON + timedelta(days=1))
    return {row.taxon: row.detections for row in one.store.count(query)}


def test_a_fox_is_named_beside_the_detector_s_claim(photographed: Event) -> None:
    (fox,) = photographed.detections
    assert (fox.label, fox.model, fox.scientific_name) == ("animal", "wildpost-nano", None)
    assert fox.classification is not None and fox.identification is fox.classification
    assert (fox.classification.scientific_name, fox.classification.model) == ("Vulpes vulpes", "wildpost-species")


def test_a_fox_raises_the_flag_of_its_protection_level(photographed: Event) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    (flag,) = RuleSet(RulesOptions(rule=(FOXES,)), ()).evaluate(photographed, now)
    assert flag.reason_values["scientific_name"] == "Vulpes vulpes"
    assert (flag.reason_values["label"], flag.reason_values["protection"]) == ("red fox", "II")
    (fox,) = photographed.detections
    assert float(flag.reason_values["confidence"]) == pytest.approx(fox.identification.confidence, abs=0.01)
    unsure = msgspec.structs.replace(fox, classification=None)
    plain = msgspec.structs.replace(photographed, detections=(unsure,))
    assert RuleSet(RulesOptions(rule=(FOXES,)), ()).evaluate(plain, now) == []


@pytest.mark.parametrize("label", ["fox", "赤狐", "Canidae", "Mammalia", "animal"])
def test_a_rule_may_name_the_fox_or_a_group_above_it(label: str, photographed: Event) -> None:
    rules = RuleSet(RulesOptions(rule=(Rule(name="a", labels=(label,)),)), ())
    assert len(rules.evaluate(photographed, datetime(2030, 1, 1, tzinfo=UTC))) == 1


@pytest.mark.parametrize("label", ["dog", "Felidae", "Vulpes ferrilata"])
def test_a_rule_for_another_animal_is_not_met(label: str, photographed: Event) -> None:
    rules = RuleSet(RulesOptions(rule=(Rule(name="a", labels=(label,)),)), ())
    assert rules.evaluate(photographed, datetime(2030, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize(("language", "name"), [("en", "red fox"), ("zh-CN", "赤狐")])
def test_pages_show_the_fox_and_who_said_so(language: str, name: str, filled: Filled) -> None:
    one, event = filled
    page = one.client.get(f"/events/{event.event_id}?lang={language}").text
    assert name in page and "Vulpes vulpes" in page
    assert "wildpost-nano" in page and "wildpost-species" in page
    assert name in one.client.get(f"/?lang={language}").text


def test_trends_count_the_fox(filled: Filled) -> None:
    assert counted(filled[0]) == {"Vulpes vulpes": 1}


def test_a_confirmed_fox_stays_a_fox_and_a_corrected_one_is_what_a_person_said(filled: Filled) -> None:
    one, event = filled
    body: dict[str, Any] = {"event_id": event.event_id, "outcome": "confirmed"}
    assert one.client.post("/verdicts", json=body, headers=one.ours).status_code == 200
    (verdict,) = one.casebook.verdict_histories([event.event_id])[event.event_id]
    assert (verdict.label, verdict.scientific_name) == ("red fox", "Vulpes vulpes")
    body |= {"outcome": "corrected", "taxon": "Nyctereutes procyonoides", "seen": {"0": verdict.sequence}}
    assert one.client.post("/verdicts", json=body, headers=one.ours).status_code == 200
    verdicts = one.casebook.verdict_histories([event.event_id])[event.event_id]
    assert counted(one) == {"Nyctereutes procyonoides": 1}
    (found,) = classify(event, verdicts[-1:], shipped_taxonomy())
    assert (found.scientific_name, found.probability) == ("Nyctereutes procyonoides", None)
    assert dict(found.tags)["machine"].startswith("wildpost-species 1.0 ")


def test_an_export_names_the_fox_its_model_and_its_probability(photographed: Event) -> None:
    (found,) = classify(photographed, (), shipped_taxonomy())
    (fox,) = photographed.detections
    assert (found.scientific_name, found.by) == ("Vulpes vulpes", "wildpost-species 1.0")
    assert found.probability == fox.identification.confidence
    assert dict(found.tags)["detector"].startswith("animal wildpost-nano 2.0 0.9")


def test_a_detector_that_names_the_taxon_itself_is_believed(photographed: Event) -> None:
    (fox,) = photographed.detections
    named = msgspec.structs.replace(fox, label="tiger", scientific_name="Panthera tigris")
    assert named.identification is named
    group = Classification(label="Felidae", confidence=0.8, model="wildpost-species", scientific_name="Felidae")
    found = msgspec.structs.replace(fox, classification=group)
    assert found.identification is group
