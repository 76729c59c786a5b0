"""Pages and programs are told which captures and stations are simulated."""

from datetime import UTC, datetime

import msgspec
import pytest

from contract import Deployment, encode, new_event_id
from contract.errors import StoreUnavailable
from contract.examples import DEPLOYMENT, EVENT
from ingest.store.port import Received
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]

NOTICE = "stations of this server are simulated"


def simulate(pages: Pages) -> str:
    """Store a simulated station with one capture, and return the id of the capture."""
    event = msgspec.structs.replace(
        EVENT, event_id=new_event_id(), station="sim-001", captured_at=NOON, simulated=True, media=()
    )
    deployment = msgspec.structs.replace(DEPLOYMENT, station="sim-001", deployment=event.deployment, simulated=True)
    pages.store.write([Received(one, encode(one), datetime.now(UTC)) for one in (event, deployment)])
    return event.event_id


def test_every_page_of_a_server_with_simulated_stations_says_so(pages: Pages) -> None:
    event_id = simulate(pages)
    for page in ("/", "/incidents", "/stations", "/trends", "/activity", "/quarantine", f"/events/{event_id}"):
        assert NOTICE in pages.client.get(page, params={"lang": "en"}).text, page
    assert "1 个模拟站点" in pages.client.get("/?lang=zh-CN").text


def test_only_the_simulated_capture_and_station_have_the_mark(pages: Pages) -> None:
    real, simulated = pages.capture().event_id, simulate(pages)
    mark = "simulated</span>"
    assert mark in pages.client.get(f"/events/{simulated}?lang=en").text
    assert mark not in pages.client.get(f"/events/{real}?lang=en").text
    assert pages.client.get("/?lang=en&show=all").text.count(mark) == 1
    assert pages.client.get("/stations?lang=en").text.count(mark) == 1


def test_a_server_without_simulated_stations_has_no_notice(pages: Pages) -> None:
    event = pages.capture()
    for page in ("/", "/stations", f"/events/{event.event_id}"):
        assert NOTICE not in pages.client.get(page, params={"lang": "en"}).text


def test_trends_say_that_simulated_stations_are_counted(pages: Pages) -> None:
    pages.capture()
    simulate(pages)
    days = "from=2026-05-01&to=2026-06-30"
    assert pages.client.get(f"/api/trends?{days}").json()["simulated_stations"] == ["sim-001"]
    assert "simulated stations (sim-001)" in pages.client.get(f"/trends?{days}&lang=en").text
    assert "-simulated-" in pages.client.get(f"/rates.csv?{days}").headers["content-disposition"]
    of_real = f"{days}&station=ridge-07"
    assert pages.client.get(f"/api/trends?{of_real}").json()["simulated_stations"] == []
    assert "-simulated-" not in pages.client.get(f"/rates.csv?{of_real}").headers["content-disposition"]


def test_a_page_of_the_casebook_does_not_need_the_store(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Deployment]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(pages.store, "deployments", fail)
    assert pages.client.get("/quarantine?lang=en").status_code == 200


def test_an_error_page_is_shown_on_a_server_with_simulated_stations(pages: Pages) -> None:
    simulate(pages)
    answer = pages.client.get("/events/none?lang=en", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "Internal" not in answer.text
