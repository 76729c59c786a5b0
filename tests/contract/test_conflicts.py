"""A message that contradicts a stored one is quarantined with both hashes, raises nothing, and is kept once."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from casebook.incidents.tables import incident
from casebook.records import Quarantined
from contract import MediaContent, SetAside, encode, new_event_id
from contract.codec import Record, kind_of
from contract.examples import EVENT
from contract.identity import content_sha256
from ingest.intake import BatchResult
from ingest.receive.batch import read_batch
from ingest.store.port import EventQuery
from tests.contract.test_incident_desk import NOW, Desk, person
from tests.keeping import keep

DATA = b"\xff\xd8\xff a picture"
CONTENT = MediaContent(
    event_id=EVENT.event_id,
    station="lake-07",
    sha256=hashlib.sha256(DATA).hexdigest(),
    type="image/jpeg",
    role="thumbnail",
    data=DATA,
)
REPORT = SetAside(
    report_id=new_event_id(), station="lake-07", sensor="camera", at=NOW, name="1.jpg", reason="broken", size=10
)


@pytest.fixture
def desk(tmp_path: Path, casebook_url: str) -> Iterator[Desk]:
    opened = Desk(tmp_path, casebook_url)
    yield opened
    opened.store.close()
    opened.casebook.close()


def receive(desk: Desk, *records: Record, minutes: float = 0) -> BatchResult:
    at = NOW + timedelta(minutes=minutes)
    return keep(desk.intake, read_batch([desk.arrived(kind_of(one), one.station, encode(one), at) for one in records]))


def conflicts(desk: Desk) -> list[Quarantined]:
    return [item for item in desk.casebook.quarantined() if item.reason == "conflict"]


def test_a_second_event_of_another_station_under_a_known_id_is_quarantined_once_and_raises_nothing(desk: Desk) -> None:
    first = msgspec.structs.replace(EVENT, captured_at=NOW)
    forged = msgspec.structs.replace(person(0, "ridge-09"), event_id=first.event_id)
    assert receive(desk, first).quarantined == 0
    flags, incidents = desk.casebook.totals().flags, len(desk.rows(incident))
    assert receive(desk, forged, forged).quarantined == 1
    assert receive(desk, forged, first, minutes=1).quarantined == 0
    (item,) = conflicts(desk)
    assert (item.station, item.source, item.topic) == ("ridge-09", "message", "wildpost/v1/ridge-09/event")
    assert content_sha256(first) in item.detail
    assert content_sha256(forged) in item.detail
    assert "station lake-07" in item.detail
    assert desk.store.events(EventQuery()) == [first]
    assert desk.casebook.totals().flags == flags
    assert len(desk.rows(incident)) == incidents


def test_two_different_events_with_one_id_in_one_batch_are_the_first_and_a_conflict(desk: Desk) -> None:
    first = person(0)
    result = receive(desk, first, msgspec.structs.replace(first, sequence=first.sequence + 1))
    assert (result.stored, result.quarantined, len(desk.alerts)) == (1, 1, 1)


def test_media_known_of_another_station_are_a_conflict(desk: Desk) -> None:
    other = msgspec.structs.replace(CONTENT, station="ridge-09")
    assert receive(desk, CONTENT, CONTENT).quarantined == 0
    assert receive(desk, other, other, minutes=1).quarantined == 1
    assert receive(desk, other, CONTENT, minutes=2).quarantined == 0
    (item,) = conflicts(desk)
    assert item.station == other.station
    assert desk.casebook.totals().media == 1


def test_one_black_picture_can_be_of_two_events_and_stations(desk: Desk) -> None:
    other = msgspec.structs.replace(CONTENT, event_id=new_event_id(), station="ridge-09")
    assert receive(desk, CONTENT, other).quarantined == 0
    assert desk.casebook.totals().media == 2


def test_a_different_report_with_a_known_id_is_a_conflict(desk: Desk) -> None:
    other = msgspec.structs.replace(REPORT, station="ridge-09", reason="stolen id")
    again = msgspec.structs.replace(REPORT, schema="1.0")
    assert receive(desk, REPORT, again).quarantined == 1
    assert receive(desk, other, other).quarantined == 1
    assert receive(desk, other, REPORT, minutes=1).quarantined == 0
    (item,) = conflicts(desk)
    assert (item.station, item.name) == ("ridge-09", REPORT.name)
    assert content_sha256(REPORT) in item.detail
