"""Hostile messages by thousands through a real broker: each is kept with a reason, nothing falls, no page runs one."""

import html
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import pytest

from bench.hostile_attack import HONEST_EVERY, Outcome, attack
from bench.hostile_forms import INJECTIONS, SORTS
from bench.hostile_messages import hostile_messages
from contract import Malformed, decode
from tests.conftest import Mosquitto, mosquitto_program
from tests.servers.test_serve import serving

pytestmark = pytest.mark.long

COUNT, SEED = 2_000, 20_260_412
BROKER = "allow_anonymous true\nautosave_on_changes false\n"
GROWTH_MB = 40  # of all processes together, once each kind has been seen and the store has written a first checkpoint


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Outcome, Path, int]]:
    """What became of the attack, the server's folder, the broker's port."""
    folder = tmp_path_factory.mktemp("hostile")
    broker = Mosquitto(mosquitto_program(), folder / "broker", BROKER)
    try:
        yield attack(folder / "server", broker.port, COUNT, SEED), folder / "server", broker.port
    finally:
        broker.stop()


def test_the_same_seed_gives_the_same_messages_and_each_is_another() -> None:
    first, again = (list(islice(hostile_messages(1_500, SEED), 1_500)) for _ in range(2))
    assert first == again
    assert len({(one.topic, one.payload) for one in first}) == 1_500
    assert {one.sort for one in first} == {*SORTS, "big", "packed bomb"}


def test_truncated_messages_and_those_for_other_topics_are_never_taken_for_good() -> None:
    for one in hostile_messages(1_000, SEED):
        if one.sort in ("truncated", "wrong topic", "another version", "packed bomb"):
            with pytest.raises(Malformed) as reason:
                decode(one.topic, one.payload)
            assert reason.value.detail, one


def test_each_is_stored_or_set_aside_with_its_reason_and_the_server_goes_on(
    attacked: tuple[Outcome, Path, int],
) -> None:
    outcome, _, _ = attacked
    assert outcome.failures == ""
    assert sum(outcome.sent.values()) == COUNT
    assert set(outcome.sent) == {*SORTS, "big", "packed bomb"}
    assert outcome.received == COUNT + COUNT // HONEST_EVERY
    assert outcome.unaccounted == 0
    assert set(outcome.reasons) == {
        "topic",
        "version",
        "size",
        "syntax",
        "shape",
        "station",
        "hash",
        "type",
        "file",
        "conflict",
    }
    assert sum(outcome.reasons.values()) == outcome.kept["messages_quarantined"] == outcome.in_quarantine
    assert outcome.in_quarantine > 0.7 * COUNT


def test_honest_captures_between_them_are_all_stored(attacked: tuple[Outcome, Path, int]) -> None:
    outcome, _, _ = attacked
    assert len(outcome.honest) == COUNT // HONEST_EVERY
    assert outcome.missing == 0


def test_memory_stays_where_it_was(mosquitto_with: Callable[[str], Mosquitto], tmp_path: Path) -> None:
    outcome = attack(tmp_path / "server", mosquitto_with(BROKER).port, 2 * COUNT, SEED)
    after_the_first_checkpoint = outcome.memory_mb[6]  # DuckDB's log reaches 16 MB after some 1,800 messages
    assert outcome.memory_mb[-1] < after_the_first_checkpoint + GROWTH_MB, outcome.memory_mb


class Runs(HTMLParser):
    """Finds what a browser would run or load in a page."""

    def __init__(self, own: str) -> None:
        super().__init__()
        self._own = (own, "/", "#", "?", "data:image/")
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self._script = tag == "script" and given.get("type") != "application/json"
        for name, value in given.items():
            address = name in ("href", "src", "action") and not value.startswith(self._own)
            if name.startswith("on") or name == "style" or address:
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.found.append(f"<script>{data[:200]}")


def test_no_page_holds_what_was_meant_to_run(attacked: tuple[Outcome, Path, int]) -> None:
    outcome, folder, port = attacked
    hostile = sorted(outcome.stored - outcome.honest)
    with serving(folder, port) as (_, url):
        pages = ["", "incidents", "stations", "trends", "trends?from=2026-04-01&to=2026-04-30", "trends.csv"]
        pages += [*_listed(url, "quarantine"), *(f"events/{one}" for one in hostile)]
        pages += ["api/events", *(f"events/{one}.json" for one in hostile[::10])]
        incidents = set(re.findall(r'href="/(incidents/[^"?/]+)"', _ask(url, "incidents")[1]))
        shown = ""
        for page in [*pages, *incidents]:
            kind, text = _ask(url, page)
            if kind == "text/html":
                looked = Runs(url)
                looked.feed(text)
                assert looked.found == [], page
                shown += text
    assert len(hostile) > 50
    assert incidents
    # They are shown, as the text that they are.
    for injected in INJECTIONS[:8]:
        assert html.escape(injected) in shown.replace("&#34;", "&quot;").replace("&#39;", "&#x27;"), injected


def _listed(url: str, page: str) -> Iterator[str]:
    """Go through a page and all that follow it."""
    following: str | None = page
    while following:
        yield following
        found = re.search(rf'href="/({page}\?after=[^"]+)"', _ask(url, following)[1])
        following = html.unescape(found[1]) if found else None


def _ask(url: str, page: str) -> tuple[str, str]:
    try:
        with urllib.request.urlopen(url + urllib.parse.quote(page, safe="/?=&%~:+"), timeout=30) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            text = answer.read().decode()
            if answer.headers.get_content_type() == "application/json":
                json.loads(text)
            return answer.headers.get_content_type(), text
    except urllib.error.HTTPError as refused:
        with refused:
            pytest.fail(f"{page}: {refused.code} {refused.read().decode()[:2000]}")
