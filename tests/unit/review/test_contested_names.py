"""Two stations of one name are named on the page of stations and by /healthz."""

from datetime import UTC, datetime

from contract import Status, encode
from ingest.store.port import Received
from tests.unit.review.test_answers import Pages, pages

__all__ = ["pages"]

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def report(pages: Pages, status: Status) -> None:
    pages.store.write([Received(status, encode(status), datetime.now(UTC))])


def test_a_name_that_two_stations_use_is_said(pages: Pages) -> None:
    report(pages, Status(station="lake-01", state="online", at=NOW))
    report(pages, Status(station="ridge-07", state="online", at=NOW, name_contested=True))
    assert pages.client.get("/healthz").json()["contested_names"] == ["ridge-07"]
    english = pages.client.get("/stations?lang=en", headers={"accept": "text/html"}).text
    assert english.count("Two stations use this name") == 1
    assert english.index("ridge-07") < english.index("Two stations use this name")
    chinese = pages.client.get("/stations?lang=zh-CN").text
    assert "有两台站点使用此名称" in chinese
    report(pages, Status(station="ridge-07", state="online", at=NOW))
    assert pages.client.get("/healthz").json()["contested_names"] == []
    assert "Two stations" not in pages.client.get("/stations?lang=en").text
