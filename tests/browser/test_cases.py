"""A case in the browser: flag, confirmation, opening, assignment, finding, hand-over, closing, evidence verified."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from casebook.casebook import Casebook
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.alert_queue import count_waiting
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.repository import IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import encode, topic_of
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import Rule, RulesOptions, load_rules
from ingest.store.duckdb.store import DuckDbStore
from review.app import create_app
from review.options import ReviewOptions
from tests.browser.conftest import scene
from tests.cases import SigningStation, deployment
from tests.keeping import keep
from tests.media_messages import content_of, medium_of
from tests.packs import exported
from tests.served_pages import served
from wildpost.cli.main import main

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
WORDS = {
    "en": {"open": "Open case", "team": "Team", "record": "Record this step", "outcome": "Transferred to the police"},
    "zh_CN": {"open": "立案", "team": "队组", "record": "记录", "outcome": "移送公安"},
}


class Server:
    """Pages with a flagged capture of a person, signed by its station, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.store = DuckDbStore(self.data / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{self.data / 'casebook.sqlite'}")
        media = FolderMedia(self.data / "media")
        rules = load_rules(RulesOptions(rule=(Rule(name="people", observation_types=("human",)),)), folder)
        self.database, options = Database(self.casebook.engine), IncidentOptions()
        policy = AlertPolicy(min_severity="notice")
        service = IncidentService(
            rules,
            self.store,
            IncidentRepository(self.database, options, policy, ["rangers"]),
            ShotRepository(self.database, options.corroboration),
            StationWatch(self.database, (), options),
            options,
        )
        intake = Intake(self.store, self.casebook, media, rules, service)
        station = SigningStation(folder / "station")
        now = datetime.now(UTC)
        content = content_of(scene(1), station=station.name)
        payload = station.signed((medium_of(content),), at=now - timedelta(minutes=1))
        station.close()
        self.event_id = str(json.loads(payload)["event_id"])
        sent = msgspec.structs.replace(content, event_id=self.event_id)
        for kind, message in (("deployment", deployment(at=now)), ("event", payload), ("media", encode(sent))):
            topic = topic_of("wildpost", station.name, kind)  # type: ignore[arg-type]
            keep(intake, read_batch([ReceivedMessage(topic, message, now)]))
        self.app = create_app(self.store, self.casebook, media, ReviewOptions())
        self.url = ""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    """What the fixture ``page`` allows to be asked."""
    server = Server(tmp_path)
    with served(server.app) as server.url:
        yield server
    server.store.close()
    server.casebook.close()


def step(page: Page, name: str, **fields: str) -> None:
    """Record a step on the page of a case, by the keyboard only once its form is reached."""
    form = page.locator(f"form:has(input[name=step][value={name}])")
    for outer in page.locator(f"details.next:has(input[name=step][value={name}])").all():
        if outer.get_attribute("open") is None:
            outer.locator("summary").first.press("Enter")
    for field, value in fields.items():
        box = form.locator(f"[name={field}]")
        if box.evaluate("one => one.tagName") == "SELECT":
            box.select_option(value)
        else:
            box.fill(value)
    form.locator("button").press("Enter")
    page.wait_for_load_state()
    expect(page.locator(".banner[role=alert]")).to_have_count(0)


@pytest.mark.parametrize(("language", "size"), [("zh_CN", PHONE), ("zh_CN", DESK), ("en", PHONE), ("en", DESK)])
def test_from_the_flag_to_the_verified_evidence(
    page: Page, site: Server, tmp_path: Path, language: str, size: ViewportSize, capsys: pytest.CaptureFixture[str]
) -> None:
    words = WORDS[language]
    page.set_viewport_size(size)
    assert count_waiting(site.database) == 1, "an alert is on its way"
    page.goto(f"{site.url}/?lang={language}")
    card = page.locator(f'.capture[data-event="{site.event_id}"]')
    expect(card.locator(".flag")).to_have_count(1)
    card.locator("[data-decide=confirmed]").click()
    expect(card).to_have_attribute("data-outcome", "confirmed")
    expect(card).not_to_have_attribute("data-waiting", "")
    page.goto(f"{site.url}/events/{site.event_id}")
    page.get_by_role("link", name=words["open"]).click()
    page.locator("#area").fill("北片")
    page.locator("#title").fill("禁猎区有人")
    page.locator("#title").press("Enter")
    page.wait_for_url(re.compile(r"/cases/\d{4}-LA-0001$"))
    number = page.url.rpartition("/")[2]
    expect(page.locator("h1")).to_contain_text(f"{number} 禁猎区有人")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    step(page, "acknowledged")
    step(page, "assigned", team="北片二组")
    step(page, "on_site", text="two officers")
    step(
        page,
        "finding",
        tool0="捕鸟网",
        tool0_count="3",
        animal0="画眉",
        animal0_alive="2",
        animal0_released="2",
        persons="1",
    )
    step(page, "transfer_reported")
    expect(page.locator(".due").first.locator("meter")).to_have_count(1)
    step(page, "transfer_approved")
    pack = exported(site.data, number, tmp_path / "pack")
    step(page, "handed_over", text="receipt signed")
    step(page, "closed", outcome="police")
    expect(page.locator(".steps .done")).to_have_count(7)
    expect(page.locator("body")).to_contain_text(words["outcome"])
    page.goto(f"{site.url}/cases?show=closed")
    expect(page.locator("table")).to_contain_text(number)
    page.goto(f"{site.url}/cases")
    expect(page.locator("table")).to_have_count(0)
    assert main(["evidence", "verify", str(pack), "--data", str(site.data)]) == 0
    assert f"verified. Case {number}, 1 events, 1 media files" in capsys.readouterr().out
    custody = [json.loads(line)["step"] for line in (pack / "data/custody.jsonl").read_text().splitlines()]
    assert custody[0] == "opened" and custody[-1] == "exported" and "viewed" in custody


def test_two_people_at_once(browser: Browser, site: Server) -> None:
    contexts = [browser.new_context() for _ in range(2)]  # whose consoles tell of the refused request
    first, second = (context.new_page() for context in contexts)
    first.goto(f"{site.url}/cases/new?lang=en")
    first.get_by_role("button", name="Open case").click()
    second.goto(f"{first.url}?lang=en")
    step(first, "acknowledged")
    form = second.locator("form:has(input[name=step][value=acknowledged])")
    form.locator("textarea").fill("I take note too")
    form.locator("button").click()
    expect(second.locator(".banner[role=alert]")).to_contain_text("Somebody else has changed the case")
    expect(form.locator("textarea")).to_have_value("I take note too")
    form.locator("button").click()
    expect(second.locator(".banner[role=alert]")).to_have_count(0)
    expect(second.locator("table")).to_contain_text("I take note too")
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_fields_have_names_and_are_touch_targets(page: Page, site: Server, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    page.goto(f"{site.url}/cases/new?lang=en")
    page.get_by_role("button", name="Open case").click()
    for details in page.locator("details.next").all():
        details.evaluate("one => { one.open = true; }")
    unnamed = """all => all.filter(one => one.type !== 'hidden' && !one.labels.length && !one.ariaLabel)
        .map(one => one.name)"""
    assert page.locator("main :is(input, select, textarea)").evaluate_all(unnamed) == []
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(set(ids)) == len(ids)
    for button in page.locator("main form button").all():
        box = button.bounding_box()
        assert box and box["height"] >= 40
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
