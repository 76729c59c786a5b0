"""The page of stations names what a station's folders hold besides captures."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from contract import PassedOver, encode
from contract.examples import HEALTH
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.app import ReviewOptions, create_app
from tests.unit.review.test_answers import Pages, served


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    media = FolderMedia(tmp_path / "media")
    with served(create_app(store, casebook, media, ReviewOptions())) as client:
        yield Pages(client, store, casebook, media)
    store.close()
    casebook.close()


def test_files_that_are_no_captures_are_counted_by_kind(pages: Pages) -> None:
    others = tuple(PassedOver(kind=f".{letter}", count=1000) for letter in "abcdef")
    health = msgspec.structs.replace(HEALTH, at=datetime.now(UTC), passed_over=others)
    pages.store.write([Received(health, encode(health), datetime.now(UTC))])
    text = pages.client.get("/stations?lang=en").text
    assert "Files that are no captures" in text
    assert "1,000 .a" in text and "1,000 .e" in text and ".f" not in text.split("no captures")[1][:400]


def test_a_station_of_an_earlier_version_counts_none(pages: Pages) -> None:
    health = msgspec.structs.replace(HEALTH, at=datetime.now(UTC), passed_over=())
    pages.store.write([Received(health, encode(health), datetime.now(UTC))])
    assert "no captures" not in pages.client.get("/stations?lang=en").text
