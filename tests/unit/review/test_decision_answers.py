"""What the server answers to decisions and withdrawals, and what stores, flags and exports have afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import Event, Media, encode, new_event_id
from i18n.taxonomy import shipped_taxonomy
from ingest.store.counts import CountQuery
from ingest.store.port import ListedEvent, Received
from pipelines.camtrap_dp.classified import classify
from review.cards import load_cards
from review.page import Site
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]


def post(pages: Pages, address: str = "/verdicts", **body: Any) -> httpx.Response:
    return pages.client.post(address, json=body, headers=pages.ours | {"accept-language": "en"})


def counted(pages: Pages) -> dict[str, int]:
    day = CountQuery.in_utc(NOON - timedelta(days=1), NOON + timedelta(days=1))
    return {one.taxon: one.detections for one in pages.store.count(day)}


def exported(pages: Pages, event: Event) -> list[str]:
    verdicts = pages.casebook.verdicts_of([event.event_id]).get(event.event_id, [])
    return [one.key or one.observation_type for one in classify(event, verdicts, shipped_taxonomy())]


def test_a_person_beside_two_boars_that_is_corrected_leaves_two_boars(pages: Pages) -> None:
    event = pages.capture(found=("wild boar", "wild boar", "person"))
    pages.flag(event)
    answer = post(pages, event_id=event.event_id, outcome="corrected", ordinals=[2], taxon="豹猫", seen={"2": 0})
    assert [one["outcome"] for one in answer.json()["detections"]] == ["", "", "corrected"]
    assert counted(pages) == {"Sus scrofa": 2, "Prionailurus bengalensis": 1}
    assert exported(pages, event) == ["Sus scrofa", "Sus scrofa", "Prionailurus bengalensis"]
    assert pages.casebook.totals().open_flags == 1


def test_a_withdrawal_brings_back_what_the_machine_found_and_the_flag(pages: Pages) -> None:
    event = pages.capture(found=("person",))
    pages.flag(event)
    decided = post(pages, event_id=event.event_id, outcome="dismissed", seen={}).json()
    assert (counted(pages), exported(pages, event), pages.casebook.totals().open_flags) == ({}, ["blank"], 0)
    sequences = [one["sequence"] for one in decided["verdicts"]]
    for _ in range(2):  # the second request is the repetition of a lost one
        answer = post(pages, "/verdicts/withdrawals", event_id=event.event_id, sequences=sequences)
        assert (answer.status_code, answer.json()["outcome"]) == (200, "")
    assert (counted(pages), exported(pages, event)) == ({"person": 1}, ["person"])
    assert pages.casebook.totals().open_flags == 1
    assert pages.shown("/?show=unreviewed") == [event.event_id]
    assert len(pages.casebook.verdict_history(event.event_id)) == 2


def test_a_decision_after_that_of_another_is_refused_with_both(pages: Pages) -> None:
    event = pages.capture()
    theirs = Verdict(event.event_id, 0, "corrected", "animal", "badger", None, "王磊", datetime.now(UTC))
    recorded = pages.casebook.record_verdict(theirs)
    answer = post(pages, event_id=event.event_id, outcome="dismissed", seen={"0": 0})
    assert answer.status_code == 409
    (conflict,) = answer.json()["conflict"]
    assert (conflict["by"], conflict["outcome"], conflict["sequence"]) == ("王磊", "corrected", recorded.sequence)
    assert len(pages.casebook.verdict_history(event.event_id)) == 1
    seen = {"0": recorded.sequence}
    assert post(pages, event_id=event.event_id, outcome="dismissed", seen=seen).status_code == 200


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/verdicts", {"outcome": "withdrawn"}),
        ("/verdicts", {"outcome": "confirmed", "seen": {"first": 1}}),
        ("/verdicts/withdrawals", {"sequences": []}),
        ("/verdicts/withdrawals", {"sequences": [1]}),
        ("/verdicts/withdrawals", {"sequences": list(range(2_000))}),
        ("/verdicts/withdrawals", {"sequences": [2**70]}),
    ],
)
def test_what_is_no_decision_is_refused(pages: Pages, address: str, body: dict[str, Any]) -> None:
    event = pages.capture()
    answer = post(pages, address, event_id=event.event_id, **body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not pages.casebook.verdict_history(event.event_id)


def test_the_form_of_the_history_takes_numbers_only(pages: Pages) -> None:
    event = pages.capture()
    post(pages, event_id=event.event_id, outcome="confirmed")
    address = f"/events/{event.event_id}/withdraw"
    for text in ("", "x", "1" * 40, "-5"):
        assert pages.client.post(address, data={"sequences": text}, headers=pages.ours).status_code == 422
    sequence = pages.casebook.verdict_history(event.event_id)[0].sequence
    assert pages.client.post(address, data={"sequences": str(sequence)}, headers=pages.ours).status_code == 303
    assert pages.casebook.verdicts_of([event.event_id]) == {}


def test_suggestions_are_recent_and_local_taxa_first_with_their_protection(pages: Pages) -> None:
    event = pages.capture(found=("fox",))
    post(pages, event_id=event.event_id, outcome="corrected", taxon="Grus vipio")
    boar = pages.capture(found=("wild boar",))
    now = msgspec.structs.replace(boar, event_id=new_event_id(), captured_at=datetime.now(UTC))
    pages.store.write([Received(now, encode(now), now.captured_at)])
    first, second, *_ = pages.client.get("/api/taxa", params={"station": "ridge-07"}).json()
    assert (first["key"], first["protection"]) == (shipped_taxonomy().key("", "Grus vipio"), "I")
    assert second["key"] == "Sus scrofa"
    assert pages.client.get("/api/taxa", params={"q": "yz"}).json()
    assert pages.client.get("/api/taxa", params={"q": "Antigone vipio"}).json()[0]["key"] == first["key"]
    assert pages.client.get("/api/taxa", params={"q": "x" * 5_000}).json() == []


def test_a_file_that_the_server_has_no_longer_is_said_to_be_gone(pages: Pages) -> None:
    event = pages.capture()
    address = f"/media/{event.media[0].sha256}"
    for language, sentence in (("en", "The file is no longer on the server."), ("zh-CN", "文件已不在服务器上。")):
        answer = pages.client.get(address, headers={"accept-language": language})
        assert (answer.status_code, answer.json()) == (404, {"error": sentence})


@pytest.mark.parametrize(
    ("capture", "found", "announced", "age", "missing"),
    [
        ("sound", ("voice",), False, 0, "withheld"),
        ("sound", ("gunshot",), False, 0, "not made"),
        ("sound", ("gunshot", "voice"), False, 0, "withheld"),
        ("sound", (), False, 0, "nothing"),
        ("picture", (), False, 0, "nothing"),
        ("picture", ("person",), False, 0, "not made"),
        ("picture", ("person",), True, 0, "waiting"),
        ("picture", ("person",), True, 2, "overdue"),
    ],
)
def test_a_card_says_why_there_is_nothing_to_show(
    pages: Pages, capture: str, found: tuple[str, ...], announced: bool, age: int, missing: str
) -> None:
    event = pages.capture(found=found)
    kinds = {"voice": "human", "gunshot": "human"}
    event = msgspec.structs.replace(
        event,
        capture=capture,
        detections=tuple(
            msgspec.structs.replace(one, observation_type=kinds.get(one.label, one.observation_type))
            for one in event.detections
        ),
        media=event.media if announced else (Media(sha256="3" * 64, type="audio/flac", size=1, role="original"),),
    )
    listed = ListedEvent(event, datetime.now(UTC) - timedelta(days=age))
    (card,) = load_cards(Site(pages.store, pages.casebook, pages.media, None, None), [listed])  # type: ignore[arg-type]
    assert card.missing == missing
    assert card.original_kept == (not announced)
