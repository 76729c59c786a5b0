"""One animal counts as one, whatever detectors and people call it; one suite for every store."""

from dataclasses import replace

import msgspec

from contract import Classification, Detection, Event, encode, new_event_id
from ingest.store.port import EventQuery, Received, Store
from tests.contract.test_store import NOON, WHOLE_DAY, found, opener, reopen, sighting, store, verdict

__all__ = ["opener", "reopen", "store"]  # fixtures

NAMES = (
    ("wild boar", None),
    ("wild_boar", None),
    ("Wild Boar", None),
    ("wild boar", "Sus scrofa"),
    ("boar", "sus scrofa"),
    ("boar", "Sus scrofa "),
    ("boar", "Sus scrofa Linnaeus, 1758"),
    ("野猪", None),
    ("Sus scrofa", None),
)


def boars() -> Event:
    detections = tuple(
        Detection(
            ordinal=number,
            label=label,
            observation_type="animal",
            confidence=0.9,
            model=sighting("x").models[0].name,
            scientific_name=scientific,
        )
        for number, (label, scientific) in enumerate(NAMES)
    )
    return msgspec.structs.replace(sighting("x"), event_id=new_event_id(), detections=detections)


def write(store: Store, event: Event) -> None:
    store.write([Received(event, encode(event), NOON)])


def test_nine_names_of_the_wild_boar_are_one_taxon_in_one_capture(store: Store) -> None:
    write(store, boars())
    assert [(one.taxon, one.detections, one.events) for one in store.count(WHOLE_DAY)] == [("Sus scrofa", 9, 1)]


def test_a_query_finds_it_under_each_of_its_names(store: Store) -> None:
    event = boars()
    write(store, event)
    write(store, sighting("fox"))
    for name in ("野猪", "wild boar", "sus scrofa", "Sus scrofa"):
        assert [one.event_id for one in store.events(EventQuery(taxa=(name,)))] == [event.event_id], name
        assert found(store, replace(WHOLE_DAY, taxa=(name,))) == {"Sus scrofa": 9}


def test_a_correction_adds_to_the_same_taxon(store: Store) -> None:
    write(store, boars())
    fox = sighting("fox")
    write(store, fox)
    store.apply_verdicts([verdict(fox, "corrected", "野猪")])
    assert found(store) == {"Sus scrofa": 10}


def test_a_classified_animal_counts_as_what_the_classifier_says_until_a_person_says_otherwise(store: Store) -> None:
    model = sighting("x").models[0].name
    claim = Classification(label="red fox", confidence=0.8, model=model, scientific_name="Vulpes vulpes")
    animal = Detection(
        ordinal=0, label="animal", observation_type="animal", confidence=0.9, model=model, classification=claim
    )
    named = msgspec.structs.replace(animal, ordinal=1, label="tiger", scientific_name="Panthera tigris")
    event = msgspec.structs.replace(sighting("x"), event_id=new_event_id(), detections=(animal, named))
    write(store, event)
    assert found(store) == {"Panthera tigris": 1, "Vulpes vulpes": 1}
    assert [one.event_id for one in store.events(EventQuery(taxa=("赤狐",)))] == [event.event_id]
    store.apply_verdicts([verdict(event, "corrected", "野猪")])
    assert found(store) == {"Panthera tigris": 1, "Sus scrofa": 1}


def test_a_person_is_one_under_both_labels(store: Store) -> None:
    seen = Detection(
        ordinal=0,
        label="human",
        observation_type="human",
        confidence=0.9,
        model=sighting("x").models[0].name,
        scientific_name="Homo sapiens",
    )
    people = (seen, msgspec.structs.replace(seen, ordinal=1, label="person", scientific_name=None))
    write(store, msgspec.structs.replace(sighting("x"), event_id=new_event_id(), detections=people))
    assert found(store) == {"person": 2}
