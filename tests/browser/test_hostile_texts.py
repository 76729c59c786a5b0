"""Texts of a hostile station or reader are shown as texts, and no other site can use the pages."""

import hashlib
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext

from contract import Detection, Event, MediaContent, Model, encode, new_event_id, topic_of
from contract.examples import SET_ASIDE, STATUS
from ingest.receive.batch import ReceivedMessage, read_batch
from tests.browser.conftest import MODEL, Site, messages
from tests.keeping import keep
from tests.media_messages import content_of, medium_of

TEXTS = (
    "<script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 1">',
    "</script><script>window.ran = 1</script>",
    "</title></style></textarea><svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "' autofocus onfocus='window.ran=1",
    '" style="background:url(//evil.example)',
    "{{ 7 * 7 }}${7*7}",
    "<!--\u2028--><iframe srcdoc='<script>parent.ran=1</script>'>",
    "&lt;img src=x onerror=window.ran=1&gt;",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
)
PICTURE = b"\xff\xd8\xff\xe0<script>window.ran = 1</script>"
FOUND = """() => [
    window.ran,
    document.querySelectorAll("img[src=x], [onload], [onerror], [onfocus], [style]").length,
    document.querySelectorAll("iframe, base, meta[http-equiv]").length,
    [...document.scripts].filter((one) => !one.src && one.type !== "application/json").length,
    [...document.querySelectorAll("a[href]")].filter((one) => one.protocol === "javascript:").length,
]"""


def hostile(number: int, text: str) -> tuple[Event, MediaContent]:
    """Make a capture of a person in which every free text is the given one."""
    short = text[:60]
    event = messages(number, "person", "human", 0.9)[0]
    content = content_of(PICTURE, event_id=event.event_id, station=event.station)
    detection = Detection(
        ordinal=0, label=short, observation_type="human", confidence=0.9, model=short, scientific_name=short
    )
    event = msgspec.structs.replace(
        event,
        models=(MODEL, Model(name=short, version=short[:30], sha256="0" * 64)),
        detections=(detection,),
        media=(medium_of(content, name=text),),
    )
    return event, content


@pytest.fixture
def attacked(site: Site) -> Site:
    """The pages with hostile captures, reports, topics and corrections."""
    now = datetime.now(UTC)
    for number, text in enumerate(TEXTS):
        event, content = hostile(number, text)
        site.events.append(event)
        report = msgspec.structs.replace(SET_ASIDE, report_id=new_event_id(), name=text, reason=text)
        status = msgspec.structs.replace(STATUS, station=event.station, version=text[:50])
        for kind, message in (("event", event), ("media", content), ("setaside", report), ("status", status)):
            topic = topic_of("wildpost", message.station, kind)  # type: ignore[arg-type]
            keep(site.intake, read_batch([ReceivedMessage(topic, encode(message), now)]))
        strange = ReceivedMessage(f"wildpost/v1/{text}/event", text.encode(), now)
        keep(site.intake, read_batch([strange]))
    return site


@pytest.fixture
def reader(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="zh-CN")
    yield context
    context.close()


def addresses(site: Site) -> list[str]:
    quoted = [urllib.parse.quote(text) for text in TEXTS[:4]]
    found = [
        "/",
        "/?show=reviewed",
        "/?show=flagged",
        "/incidents?show=all",
        "/trends?days=7",
        "/activity?days=7",
        "/stations",
        "/quarantine",
    ]
    found += [f"/?{name}={text}" for name in ("station", "taxon", "kind", "day", "after", "x") for text in quoted[:2]]
    found += [f"/trends?{name}={text}" for name in ("station", "taxon", "from", "zone") for text in quoted[2:]]
    found += [f"/activity?{name}={text}" for name in ("taxon", "other_taxon") for text in quoted[2:4]]
    found += [f"/{text}" for text in quoted] + [f"/events/{text}" for text in quoted[:2]]
    found += [f"/events/{event.event_id}" for event in site.events[-len(TEXTS) :]]
    return found + [f"/incidents/{one.id}" for one in site.incidents.incidents(False, 30, None)[:3]]


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_no_text_becomes_part_of_a_page(attacked: Site, reader: BrowserContext, language: str) -> None:
    reader.add_cookies([{"name": "reviewer", "value": urllib.parse.quote(TEXTS[1]), "url": attacked.url}])
    for event, text in zip(attacked.events[-len(TEXTS) :], TEXTS, strict=True):
        correction = {"event_id": event.event_id, "outcome": "corrected", "taxon": text}
        answer = reader.request.post(f"{attacked.url}/verdicts", data=correction, headers={"origin": attacked.url})
        assert answer.status == 200
    page = reader.new_page()
    wrong: list[str] = []
    page.on("dialog", lambda dialog: wrong.append(f"dialog at {page.url}: {dialog.message}"))
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("request", lambda one: None if one.url.startswith(attacked.url) else wrong.append(one.url))
    page.on("console", lambda one: wrong.append(f"{page.url}: {one.text}") if "Policy" in one.text else None)
    for address in addresses(attacked):
        page.goto(f"{attacked.url}{address}{'&' if '?' in address else '?'}lang={language}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate(FOUND) == [None, 0, 0, 0, 0], page.url
    assert not wrong


def test_what_is_for_programs_is_no_page(attacked: Site, reader: BrowserContext) -> None:
    page = reader.new_page()
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    for address in (f"/events/{attacked.events[-1].event_id}.json", "/api/events", f"/media/{sha256}"):
        page.goto(f"{attacked.url}{address}")
        assert page.evaluate("[window.ran, document.scripts.length]") == [None, 0]


def test_another_site_can_neither_frame_nor_embed_nor_decide(attacked: Site, reader: BrowserContext) -> None:
    event = attacked.events[0]
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    body = f'{{"event_id":"{event.event_id}","outcome":"dismissed","taxon":"'.replace('"', "&quot;")
    evil = f"""<iframe src="{attacked.url}/"></iframe><img src="{attacked.url}/media/{sha256}">
        <script src="{attacked.url}/api/events"></script><link rel="stylesheet" href="{attacked.url}/api/events">
        <form method="post" enctype="text/plain" action="{attacked.url}/verdicts">
        <input name="{body}" value='"}}'></form>"""
    page = reader.new_page()
    page.route("http://evil.example/**", lambda route: route.fulfill(body=evil, content_type="text/html"))
    page.goto("http://evil.example/")
    page.wait_for_load_state("networkidle")
    assert [frame.url for frame in page.frames if frame.url.startswith(attacked.url)] == []
    assert page.evaluate("document.images[0].naturalWidth") == 0
    reached = page.evaluate(f"fetch('{attacked.url}/api/events').then(() => true, () => false)")
    assert reached is False
    with page.expect_navigation():
        page.evaluate("document.forms[0].submit()")
    assert not attacked.casebook.verdict_history(event.event_id)
