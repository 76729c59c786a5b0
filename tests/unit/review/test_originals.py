"""The page of a capture asks the station for the original, says what becomes of it, and gives it out as a file."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.incidents.database import Database
from casebook.records import MediaEntry
from casebook.station_commands import StationCommands
from contract import Event, Media, encode, new_event_id
from contract.commands import MOST_ORIGINAL_BYTES, AnswerState
from contract.examples import ANSWER
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.app import ReviewOptions, create_app
from tests.unit.review.test_answers import NOON, PICTURE, Pages, served

ORIGINAL = PICTURE + b"\0" * 100


@dataclass
class Asking:
    pages: Pages
    woken: list[int]

    @property
    def commands(self) -> StationCommands:
        return StationCommands(Database(self.pages.casebook.engine))

    def event(self, size: int = len(ORIGINAL)) -> Event:
        """Store a capture whose station keeps an original."""
        digest = hashlib.sha256(ORIGINAL).hexdigest()
        original = Media(sha256=digest, type="image/jpeg", size=size, role="original", name="野猪 0041.JPG")
        event = msgspec.structs.replace(self.pages.capture(), event_id=new_event_id(), media=(original,))
        self.pages.store.write([Received(event, encode(event), datetime.now(UTC))])
        return event

    def page(self, event: Event, language: str = "en") -> str:
        page = self.pages.client.get(f"/events/{event.event_id}", params={"lang": language})
        assert page.status_code == 200
        return page.text

    def ask(self, event: Event) -> int:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return self.pages.client.post(f"/events/{event.event_id}/original", headers=headers).status_code

    def answered(self, event: Event, state: AnswerState, detail: str = "") -> None:
        asked = self.commands.of_event(event.event_id)
        assert asked is not None
        given = {"station": event.station, "nonce": asked.nonce, "state": state, "detail": detail}
        self.commands.record([(msgspec.structs.replace(ANSWER, **given), NOON)])


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    store, casebook = DuckDbStore(tmp_path / "d.duckdb"), Casebook(f"sqlite:///{tmp_path}/c.sqlite")
    media, woken = FolderMedia(tmp_path / "media"), []
    app = create_app(store, casebook, media, ReviewOptions(), wake_command_sender=lambda: woken.append(1))
    with served(app) as client:
        yield Asking(Pages(client, store, casebook, media), woken)
    casebook.close()
    store.close()


def test_the_button_asks_once_and_the_page_says_what_becomes_of_it(asking: Asking) -> None:
    event = asking.event()
    assert "Ask for the full picture" in asking.page(event) and "请求完整照片" in asking.page(event, "zh-CN")
    assert asking.ask(event) == 303 and asking.ask(event) == 303
    assert len(asking.woken) == 1 and len(asking.commands.latest()) == 1
    asked = asking.commands.latest()[0]
    assert "Asked, not sent to the station yet" in asking.page(event) and "Ask for" not in asking.page(event)
    asking.commands.sent(asked.number, NOON)
    assert "waiting for the station" in asking.page(event)
    asking.answered(event, "accepted")
    assert "The station is sending it" in asking.page(event)
    asking.answered(event, "gone", "0041.JPG: the station does not have it any more")
    page = asking.page(event)
    assert "The station no longer has it" in page and "0041.JPG: the station does not" in page
    assert "Ask for the full picture" in page


def test_what_came_is_opened_and_given_out_as_a_file(asking: Asking) -> None:
    event = asking.event()
    address = f"/events/{event.event_id}/original"
    assert asking.pages.client.get(address).status_code == 404
    digest = event.media[0].sha256
    asking.pages.media.put(ORIGINAL, digest)
    entry = MediaEntry(event.event_id, digest, "image/jpeg", "original", len(ORIGINAL), event.station, NOON)
    asking.pages.casebook.add_media([entry])
    page = asking.page(event)
    assert f'href="{address}"' in page and "Arrived" in page and "Ask for" not in page
    answer = asking.pages.client.get(address)
    assert answer.content == ORIGINAL
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E9%87%8E%E7%8C%AA%200041.JPG"
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] != "public"


def test_an_original_that_cannot_be_asked_for_has_no_button(asking: Asking) -> None:
    large = asking.event(size=MOST_ORIGINAL_BYTES + 1)
    assert "Ask for" not in asking.page(large)
    assert asking.ask(large) == 303 and asking.commands.latest() == []
    without = asking.pages.capture()
    assert "Ask for" not in asking.page(without) and asking.ask(without) == 422


def test_a_server_without_a_key_offers_nothing(asking: Asking) -> None:
    event = asking.event()
    site = asking.pages
    app = create_app(site.store, site.casebook, site.media, ReviewOptions())
    with served(app) as client:
        assert "Ask for" not in client.get(f"/events/{event.event_id}?lang=en").text
        headers = {"Sec-Fetch-Site": "same-origin"}
        assert client.post(f"/events/{event.event_id}/original", headers=headers).status_code == 422


def test_another_site_cannot_ask(asking: Asking) -> None:
    event = asking.event()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"}
    assert asking.pages.client.post(f"/events/{event.event_id}/original", headers=headers).status_code == 403
    assert asking.commands.latest() == []
