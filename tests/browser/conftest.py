"""A running review site with real stores behind it, and the distribution's Chromium in front."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from captures.decoded import Sound
from captures.sound import encode_clip
from casebook.casebook import Casebook
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import Box, Clock, Detection, Event, Media, MediaContent, Model, Span, encode, new_event_id, topic_of
from contract.messages import ObservationType
from ingest.drawing.drawings import Drawings
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import Rule, RulesOptions, load_rules
from ingest.store.duckdb.store import DuckDbStore
from review.app import create_app
from review.options import ReviewOptions
from tests.keeping import keep
from tests.served_pages import served

SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
MODEL = Model(name="test", version="1", sha256="0" * 64)


@dataclass
class Site:
    """Where the pages are, and what is behind them."""

    url: str
    store: DuckDbStore
    casebook: Casebook
    incidents: IncidentReader
    intake: Intake
    media_folder: Path
    events: list[Event]


def scene(number: int) -> bytes:
    """Draw a night in the forest with something bright in it."""
    pixels = np.full((480, 640, 3), 20 + number, np.uint8)
    cv2.ellipse(pixels, (320, 300), (120, 60), 0, 0, 360, (180, 190, 200), -1)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def chirp() -> tuple[bytes, str]:
    seconds = np.arange(3 * 48_000) / 48_000
    samples = (0.3 * np.sin(2 * np.pi * (2000 + 500 * seconds) * seconds)).astype(np.float32)
    return encode_clip(Sound(samples, 48_000))


def messages(
    number: int, label: str, kind: ObservationType, confidence: float, sound: bool = False
) -> tuple[Event, list[bytes]]:
    """Make one capture as a station sends it."""
    data, media_type = chirp() if sound else (scene(number), "image/jpeg")
    role = "clip" if sound else "thumbnail"
    media = Media(sha256=hashlib.sha256(data).hexdigest(), type=media_type, size=len(data), role=role)  # type: ignore[arg-type]
    place = {"span": Span(start_s=0, end_s=3)} if sound else {"box": Box(0.3, 0.5, 0.4, 0.25)}
    detection = Detection(
        ordinal=0,
        label=label,
        observation_type=kind,
        confidence=confidence,
        model="test",
        **place,
    )
    event = Event(
        event_id=new_event_id(),
        station="ridge-07",
        sensor="microphone" if sound else "camera",
        deployment="ridge-07-a",
        captured_at=datetime.now(UTC) - timedelta(minutes=10 * number),
        clock=Clock(source="ntp", synchronised=True, error_s=0.01),
        boot_id=new_event_id(),
        sequence=number,
        capture="sound" if sound else "picture",
        models=(MODEL,),
        detections=(detection,),
        media=(media,),
        duration_s=3.0 if sound else 0.0,
    )
    content = MediaContent(
        event_id=event.event_id, station=event.station, sha256=media.sha256, type=media_type, role=media.role, data=data
    )
    return event, [encode(event), encode(content)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Six captures, two of them flagged and one incident, behind real pages on a free port."""
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    media = FolderMedia(tmp_path / "media")
    rules = load_rules(RulesOptions(rule=(Rule(name="people", observation_types=("human", "vehicle")),)), tmp_path)
    database, options = Database(casebook.engine), IncidentOptions(gap_minutes=15)
    book, shots = (
        IncidentRepository(database, options, AlertPolicy(), ["rangers"]),
        ShotRepository(database, options.corroboration),
    )
    desk = IncidentService(rules, store, book, shots, StationWatch(database, (), options), options)
    intake = Intake(store, casebook, media, rules, desk)
    made: list[tuple[str, ObservationType]] = [("fox", "animal"), ("fox", "animal"), ("wild boar", "animal")]
    made += [("car", "vehicle"), ("person", "human")]
    captures = [messages(number, label, kind, 0.9) for number, (label, kind) in enumerate(made)]
    captures.append(messages(5, "Strix aluco", "animal", 0.8, sound=True))
    for _, (event, content) in captures:
        now = datetime.now(UTC)
        keep(intake, read_batch([ReceivedMessage(topic_of("wildpost", "ridge-07", "event"), event, now)]))
        keep(intake, read_batch([ReceivedMessage(topic_of("wildpost", "ridge-07", "media"), content, now)]))
    keep(intake, read_batch([ReceivedMessage("wildpost/v1/ridge-07/event", b"{not ours", datetime.now(UTC))]))
    drawings = Drawings(tmp_path / "drawn")
    app = create_app(store, casebook, media, ReviewOptions(), drawings=drawings)
    with served(app) as url:
        yield Site(
            url,
            store,
            casebook,
            IncidentReader(database),
            intake,
            tmp_path / "media",
            [event for event, _ in captures],
        )
    drawings.close()
    store.close()
    casebook.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed (Debian: apt-get install chromium)")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=SWITCHES)) as launched,
    ):
        yield launched


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page that fails the test where a script fails or another host is asked."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on(
        "request",
        lambda request: None if request.url.startswith((site.url, "data:", "blob:")) else wrong.append(request.url),
    )
    yield opened
    context.close()
    assert not wrong
