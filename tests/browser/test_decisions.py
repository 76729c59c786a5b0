"""A decision is for the card that was in focus, survives a slow or broken line, and can be withdrawn."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from casebook.casebook import Casebook
from casebook.verdicts import Verdict
from contract import Box, Detection, Event, encode, new_event_id
from contract.messages import ObservationType
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.app import create_app
from review.options import ReviewOptions
from tests.browser.conftest import MODEL, messages
from tests.eventually import eventually
from tests.served_pages import served

SLOW = (
    "const send = fetch; window.fetch = (...all) => new Promise((go) => setTimeout(go, 500)).then(() => send(...all));"
)


class Queue:
    """Pages with undecided captures, one of them with two boars and a person, and nothing else."""

    def __init__(self, folder: Path, count: int, page_size: int) -> None:
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")
        self.events = [self._event(number) for number in range(count)]
        self.store.write([Received(event, encode(event), datetime.now(UTC)) for event in self.events])
        self.app = create_app(self.store, self.casebook, FolderMedia(folder), ReviewOptions(page_size=page_size))
        self.url = ""

    def _event(self, number: int) -> Event:
        kinds: list[tuple[str, ObservationType]] = [("fox", "animal")]
        if number == 2:
            kinds = [("wild boar", "animal"), ("wild boar", "animal"), ("person", "human")]
        found = tuple(
            Detection(
                ordinal=ordinal, label=label, observation_type=kind, confidence=0.9, model=MODEL.name,
                box=Box(0.1 + 0.3 * ordinal, 0.4, 0.2, 0.3),
            )
            for ordinal, (label, kind) in enumerate(kinds)
        )  # fmt: skip
        template = messages(number, "fox", "animal", 0.9)[0]
        at = datetime.now(UTC) - timedelta(minutes=number)
        return msgspec.structs.replace(template, event_id=new_event_id(), captured_at=at, detections=found, media=())

    def outcomes(self) -> list[str]:
        found = self.casebook.verdicts_of(event.event_id for event in self.events)
        return [" ".join(one.outcome for one in found.get(event.event_id, [])) for event in self.events]

    def decisions(self) -> int:
        return sum(map(len, self.casebook.verdict_histories(event.event_id for event in self.events).values()))


@pytest.fixture
def queue(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Queue]:
    count, page_size = getattr(request, "param", (5, 24))
    made = Queue(tmp_path, count, page_size)
    with served(made.app) as made.url:
        yield made
    made.store.close()
    made.casebook.close()


@pytest.fixture
def site(queue: Queue) -> Queue:
    """What the fixture ``page`` allows to be asked."""
    return queue


def opened(page: Page, queue: Queue, *, slow: bool = False, path: str = "/") -> Page:
    if slow:
        page.add_init_script(SLOW)
    page.goto(f"{queue.url}{path}{'&' if '?' in path else '?'}lang=en")
    return page


def settled(page: Page) -> None:
    expect(page.locator(".capture[data-waiting]")).to_have_count(0, timeout=60_000)


def sent(page: Page) -> None:
    """Wait until the outbox is empty, including what earlier pages put into it."""
    waiting = "outbox.key ? outbox.items.length : -1"
    eventually(lambda: page.evaluate(waiting) == 0, "all decisions to be sent", timeout_s=120)


def test_on_a_slow_line_each_key_is_for_the_card_in_focus(page: Page, queue: Queue) -> None:
    opened(page, queue, slow=True)
    for key in "jxc":
        page.keyboard.press(key)
    settled(page)
    assert queue.outcomes()[:2] == ["dismissed", "confirmed"]


def test_after_the_last_card_a_key_decides_nothing_and_n_leads_on(page: Page, queue: Queue) -> None:
    opened(page, queue)
    page.keyboard.press("j")
    for _ in queue.events:
        page.keyboard.press("x")
    expect(page.locator("#done")).to_be_focused()
    for key in "ccn":
        page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text("There is no further page")
    settled(page)
    assert queue.outcomes() == ["dismissed", "dismissed", "dismissed dismissed dismissed", "dismissed", "dismissed"]
    assert queue.decisions() == 7


@pytest.mark.parametrize("queue", [(1, 24)], indirect=True)
def test_a_queue_whose_last_decision_is_still_being_sent_shows_that_it_is_done(page: Page, queue: Queue) -> None:
    opened(page, queue, slow=True, path=f"/events/{queue.events[0].event_id}")
    page.keyboard.press("c")
    page.keyboard.press("Enter")  # before the server has the decision
    expect(page.locator("#done")).to_be_visible()
    sent(page)
    assert queue.outcomes() == ["confirmed"]


@pytest.mark.parametrize("queue", [(102, 60)], indirect=True)
def test_a_hundred_decisions_take_a_hundred_keys_on_a_slow_line(page: Page, queue: Queue) -> None:
    opened(page, queue, slow=True)
    page.keyboard.press("j")
    expected = []
    for number in range(60):
        page.keyboard.press("x" if number % 3 else "c")
        expected.append("dismissed" if number % 3 else "confirmed")
    page.keyboard.press("n")  # most of the decisions are not sent yet
    page.wait_for_url("**after=**")
    page.wait_for_load_state()
    for number in range(42):
        page.keyboard.press("c" if number % 5 else "x")
        expected.append("confirmed" if number % 5 else "dismissed")
    sent(page)
    expected[2] = "dismissed dismissed dismissed"
    assert queue.outcomes() == expected


def test_u_withdraws_the_last_decision_and_then_the_one_before(page: Page, queue: Queue) -> None:
    opened(page, queue, slow=True)
    for key in "jxcuu":
        page.keyboard.press(key)
    settled(page)
    assert queue.outcomes() == [""] * 5
    expect(page.locator(f'[data-event="{queue.events[0].event_id}"]')).to_be_focused()
    page.keyboard.press("c")
    settled(page)
    assert queue.outcomes()[0] == "confirmed"
    page.locator("#last [data-undo]").click()
    settled(page)
    assert queue.outcomes()[0] == ""


def test_a_decision_is_withdrawn_from_the_history(page: Page, queue: Queue) -> None:
    event = queue.events[2]
    opened(page, queue, path=f"/events/{event.event_id}")
    page.keyboard.press("x")
    settled(page)
    page.reload()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".history li")).to_have_count(2)
    expect(page.locator(".capture")).to_have_attribute("data-outcome", "")
    assert queue.outcomes()[2] == ""


def correct(page: Page, typed: str) -> None:
    page.locator("#taxon").fill(typed)
    expect(page.locator("#taxa [aria-selected=true]")).to_be_visible()
    page.keyboard.press("Enter")


def test_a_correction_is_for_the_chosen_box(page: Page, queue: Queue) -> None:
    opened(page, queue)
    event = queue.events[2]
    for key in "jjjb3e":
        page.keyboard.press(key)
    correct(page, "野猪")
    settled(page)
    found = queue.casebook.verdicts_of([event.event_id])[event.event_id]
    assert [(one.ordinal, one.outcome, one.scientific_name) for one in found] == [(2, "corrected", "Sus scrofa")]
    page.keyboard.press("c")  # the other two
    settled(page)
    assert queue.outcomes()[2] == "confirmed confirmed corrected"
    expect(page.locator(f'[data-event="{queue.events[3].event_id}"]')).to_be_focused()


def test_a_box_is_chosen_by_tap_on_a_phone(page: Page, queue: Queue) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, queue)
    card = page.locator(f'[data-event="{queue.events[2].event_id}"]')
    card.locator(".found button").nth(1).click()
    card.locator("[data-decide=dismissed]").click()
    settled(page)
    assert queue.outcomes()[2] == "dismissed"
    assert queue.casebook.verdict_history(queue.events[2].event_id)[0].ordinal == 1
    page.locator("#last [data-undo]").click()
    settled(page)
    assert queue.outcomes()[2] == ""


def test_names_are_found_by_initials_with_their_protection_and_a_text_is_a_remark(page: Page, queue: Queue) -> None:
    opened(page, queue)
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.locator("#taxon").fill("hj")
    expect(page.locator("#taxa li").first).to_be_visible()
    page.locator("#taxon").fill("Grus vipio")
    expect(page.locator("#taxa li").first).to_contain_text("first-class protection")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    correct(page, "a branch in the wind")
    settled(page)
    (verdict,) = queue.casebook.verdict_history(queue.events[0].event_id)
    assert (verdict.label, verdict.observation_type) == ("a branch in the wind", "unclassified")


@pytest.mark.parametrize(("keep", "outcome"), [("theirs", "confirmed"), ("mine", "dismissed")])
def test_who_decides_after_another_sees_both_decisions(browser: Browser, queue: Queue, keep: str, outcome: str) -> None:
    context = browser.new_context()  # whose console tells of the refused request
    page = opened(context.new_page(), queue)
    event = queue.events[0]
    queue.casebook.record_verdict(
        Verdict(event.event_id, 0, "confirmed", "animal", "fox", None, "Wang Lei", datetime.now(UTC))
    )
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#conflicts")).to_contain_text("Wang Lei")
    assert queue.outcomes()[0] == "confirmed"
    page.locator(f"#conflicts [data-keep={keep}]").click()
    expect(page.locator("#conflicts section")).to_have_count(0)
    settled(page)
    assert queue.outcomes()[0] == outcome
    context.close()


def test_what_a_broken_line_did_not_take_is_kept_and_sent_later(page: Page, queue: Queue) -> None:
    opened(page, queue)
    page.evaluate("() => { window.real = fetch; window.fetch = () => Promise.reject(new TypeError('no line')); }")
    for key in "jxc":
        page.keyboard.press(key)
    expect(page.locator("#waiting")).to_contain_text("2 decisions are kept on this device")
    assert queue.decisions() == 0
    page.reload()  # with a line
    settled(page)
    sent(page)
    assert queue.outcomes()[:2] == ["dismissed", "confirmed"]
