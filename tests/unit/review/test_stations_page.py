"""What is wrong with stations is named on their page and by /healthz: two of one name, a broken chain of events."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from casebook.chain_runs import Linked
from casebook.event_chain import MISSING_AFTER, ChainedEvent, EventChains
from casebook.incidents.database import Database
from casebook.station_commands import StationCommands
from contract import HeldMedia, Status, encode, new_event_id
from contract.examples import ANSWER, HEALTH
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


def test_a_broken_chain_of_events_is_said(pages: Pages) -> None:
    report(pages, Status(station="ridge-07", state="online", at=NOW))
    pages.capture()
    assert pages.client.get("/healthz").json()["unsound_chains"] == []
    assert "Signed events" not in pages.client.get("/stations?lang=en").text
    chains = EventChains(Database(pages.casebook.engine))
    at = datetime.now(UTC) - MISSING_AFTER
    events = [
        ChainedEvent("ridge-07", new_event_id(), "c", "k", Linked(number, "0" * 64, f"{number}" * 64, at), number != 7)
        for number in (1, 5, 7)
    ]
    chains.record(events[:1])
    page = pages.client.get("/stations?lang=en").text
    assert "Signed events" in page
    assert "chain broken" not in page
    chains.record(events)
    assert pages.client.get("/healthz").json()["unsound_chains"] == ["ridge-07"]
    page = pages.client.get("/stations?lang=en").text
    assert "3 events did not arrive." in page
    assert "1 events have no valid signature." in page
    assert "有 3 个事件未送达。" in pages.client.get("/stations?lang=zh-CN").text


def test_settings_that_the_server_wants_stand_beside_those_that_the_station_reports(pages: Pages) -> None:
    report(pages, Status(station="lake-07", state="online", at=NOW))
    assert "Remote settings" not in pages.client.get("/stations?lang=en").text
    commands = StationCommands(Database(pages.casebook.engine))
    asked = commands.ask("lake-07", "settings", '{"station":{"health_s":60}}', "a ranger", NOW, timedelta(days=1))
    page = pages.client.get("/stations?lang=en").text
    assert "Remote settings" in page and "Waiting for the station" in page and "station.health_s" in page
    told = {"station": "lake-07", "nonce": asked.nonce, "kind": "settings", "at": NOW, "state": "rolled-back"}
    told |= {"detail": "sensor camera <b>", "result": '{"station":{"health_s":300}}'}
    commands.record([(msgspec.structs.replace(ANSWER, **told), NOW)])
    page = pages.client.get("/stations?lang=en").text
    assert "Rolled back by the station" in page and "sensor camera &lt;b&gt;" in page
    assert re.search(r"station\.health_s</code></td><td[^>]*>60</td><td[^>]*>300</td>", page)
    assert "站点已自行恢复" in pages.client.get("/stations?lang=zh-CN").text


def test_whatever_a_station_reports_as_its_settings_the_page_answers(pages: Pages) -> None:
    report(pages, Status(station="lake-07", state="online", at=NOW))
    commands = StationCommands(Database(pages.casebook.engine))
    deep = '{"a":' * 1300 + "1" + "}" * 1300
    for hour, result in enumerate(("no json", "[1]", '{"a":{"b":{"c":[{}]}}}', '"x"', "[" * 8000, deep), start=1):
        told = {"station": "lake-07", "nonce": "", "serial": 0, "kind": "settings", "state": "reported"}
        told |= {"result": result, "at": NOW + timedelta(hours=hour)}
        commands.record([(msgspec.structs.replace(ANSWER, **told), NOW)])
        page = pages.client.get("/stations?lang=en")
        assert page.status_code == 200 and "own file" in page.text


def test_what_a_station_holds_back_is_shown_with_its_end(pages: Pages) -> None:
    report(pages, Status(station="lake-07", state="online", at=NOW))
    held = HeldMedia(reason="month", until=NOW + timedelta(days=4), messages=12, size=3_400_000)
    health = msgspec.structs.replace(HEALTH, station="lake-07", held_media=held)
    pages.store.write([Received(health, encode(health), NOW)])
    page = pages.client.get("/stations?lang=en").text
    assert "Held back" in page and "for the month is used up" in page and "3.4 MB" in page
    assert "本月流量预算已用完。" in pages.client.get("/stations?lang=zh-CN").text
