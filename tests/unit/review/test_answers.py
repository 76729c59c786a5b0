"""The pages answer whatever is asked: with a page, or with what is wrong; and only to whom they are meant for."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import httpx
import msgspec
import numpy as np
import pytest
from fastapi import FastAPI

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Clock, Detection, Event, Media, Model, encode, new_event_id
from contract.errors import StoreUnavailable
from ingest.drawing.drawings import Drawings
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.app import ReviewOptions, create_app
from tests import served_pages
from tests.bombs import flac_that_says, png_of, silence
from tests.effort_messages import effort_of
from tests.eventually import PATIENCE_S

MODEL = Model(name="test", version="1", sha256="0" * 64)
PICTURE = bytes(cv2.imencode(".jpg", np.zeros((480, 640, 3), np.uint8))[1])
NOON = datetime(2026, 5, 31, 4, tzinfo=UTC)


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve the pages, and yield a client of them."""
    with served_pages.served(app) as url, httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_S) as client:
        yield client


@dataclass
class Pages:
    client: httpx.Client
    store: DuckDbStore
    casebook: Casebook
    media: FolderMedia

    def capture(self, minutes: int = 0, found: tuple[str, ...] = ("Hydropotes inermis",)) -> Event:
        kinds = {"person": "human", "car": "vehicle"}
        event = Event(
            event_id=new_event_id(),
            station="ridge-07",
            sensor="camera",
            deployment="ridge-07-a",
            captured_at=NOON + timedelta(minutes=minutes),
            clock=Clock(source="ntp", synchronised=True),
            boot_id=new_event_id(),
            sequence=0,
            capture="picture",
            models=(MODEL,),
            detections=tuple(
                Detection(
                    ordinal=number,
                    label=label,
                    observation_type=kinds.get(label, "animal"),  # type: ignore[arg-type]
                    confidence=0.9,
                    model="test",
                )
                for number, label in enumerate(found)
            ),
            media=(
                Media(
                    sha256=hashlib.sha256(PICTURE).hexdigest(), type="image/jpeg", size=len(PICTURE), role="thumbnail"
                ),
            ),
        )
        self.store.write([Received(event, encode(event), datetime.now(UTC))])
        return event

    def flag(self, event: Event) -> None:
        self.casebook.add_flags(
            [Flag(event.event_id, "people", "urgent", "human", datetime.now(UTC), {"label": "person"})]
        )

    @property
    def ours(self) -> dict[str, str]:
        return {"origin": str(self.client.base_url).rstrip("/")}

    def shown(self, address: str) -> list[str]:
        text = self.client.get(address).text
        return [part.partition('"')[0] for part in text.split('data-event="')[1:]]


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    media = FolderMedia(tmp_path / "media")
    drawings = Drawings(tmp_path / "drawn")
    with served(create_app(store, casebook, media, ReviewOptions(page_size=3), drawings=drawings)) as client:
        yield Pages(client, store, casebook, media)
    drawings.close()
    store.close()
    casebook.close()


def test_a_capture_is_named_for_each_kind_once_people_first(pages: Pages) -> None:
    event = pages.capture(found=("wild boar", "Wild_Boar", "car", "野猪", "person"))
    page = pages.client.get(f"/events/{event.event_id}?lang=en", headers={"accept": "text/html"}).text
    assert "<h1>person 90%, car 90%, wild boar × 3 90%</h1>" in page.replace("Wild boar", "wild boar")


def test_a_page_that_is_not_there_says_so_in_the_readers_language(pages: Pages) -> None:
    browser = {"accept": "text/html", "accept-language": "zh-CN"}
    answer = pages.client.get("/events/none", headers=browser)
    assert answer.status_code == 404
    assert "该地址没有对应的记录" in answer.text
    assert pages.client.get("/events/none").json()["error"].startswith("There is no capture")
    chinese = pages.client.get("/events/none", headers={"accept-language": "zh-CN"}).json()["error"]
    assert chinese.startswith("该地址没有对应的记录")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/?day=9999-12-31", 200),
        ("/?day=0001-01-01", 200),
        ("/?day=yesterday&kind=ghost&show=all&after=nowhere", 200),
        ("/trends?days=0000100000000000", 200),
        ("/trends?to=9999-12-31&from=9999-12-30", 422),
        ("/trends?to=0001-01-05", 422),
        ("/trends?from=2026-13-01", 422),
        ("/api/trends?zone=Asia", 422),
        ("/api/trends?zone=../etc", 422),
        ("/api/trends?zone=" + "a" * 300, 422),
        ("/api/events?start=2026-05-31T06:00:00", 422),
        ("/events/none", 404),
        ("/media/none", 404),
        ("/docs", 404),
    ],
)
def test_whatever_is_asked_has_an_answer(pages: Pages, address: str, code: int) -> None:
    answer = pages.client.get(address, headers={"accept": "text/html"})
    assert answer.status_code == code
    assert "<html" in answer.text


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
    ids=["nobody", "another site", "a file", "across sites"],
)
def test_a_post_from_elsewhere_decides_nothing(pages: Pages, headers: dict[str, str]) -> None:
    event = pages.capture()
    body = {"event_id": event.event_id, "outcome": "dismissed"}
    assert pages.client.post("/verdicts", json=body, headers=headers).status_code == 403
    assert not pages.casebook.verdict_history(event.event_id)


@pytest.mark.parametrize(
    "name",
    [
        "base.html",
        "queue.html",
        "event.html",
        "trends.html",
        "components.css",
        "tokens.css",
        "figures.css",
        "review.js",
    ],
)
def test_no_page_script_or_style_names_another_host(name: str) -> None:
    folder = Path(create_app.__code__.co_filename).parent
    text = next(folder.rglob(name)).read_text(encoding="utf-8")
    assert "http://" not in text and "https://" not in text and 'src="//' not in text


def test_flagged_and_undecided_come_first_and_every_capture_once(pages: Pages) -> None:
    events = [pages.capture(minutes) for minutes in range(8)]
    flagged = [pages.capture(minutes - 100, ("person",)) for minutes in range(2)]
    for event in flagged:
        pages.flag(event)
    listed: list[str] = []
    address = "/"
    while address:
        answer = pages.client.get(address)
        assert answer.status_code == 200
        text = answer.text
        listed += [part.partition('"')[0] for part in text.split('data-event="')[1:]]
        address = text.partition('class="more"><a class="btn" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert len(listed) <= 10, "a page leads back"
    assert listed == [event.event_id for event in [*reversed(flagged), *reversed(events)]]


def test_a_flag_closes_when_everything_in_the_capture_is_decided(pages: Pages) -> None:
    event = pages.capture(found=("person", "Cuon alpinus"))
    pages.flag(event)
    for ordinal, still_open in [(0, 1), (1, 0)]:
        body = {"event_id": event.event_id, "outcome": "confirmed", "ordinals": [ordinal]}
        assert pages.client.post("/verdicts", json=body, headers=pages.ours).status_code == 200
        assert pages.casebook.totals().open_flags == still_open
    assert pages.shown("/?show=flagged") == []
    assert pages.shown("/?show=reviewed") == [event.event_id]


@pytest.mark.parametrize("typed", ["野猪", "Wild Boar", "sus scrofa"])
def test_a_correction_takes_any_of_the_names(pages: Pages, typed: str) -> None:
    event = pages.capture()
    body = {"event_id": event.event_id, "outcome": "corrected", "taxon": typed}
    assert pages.client.post("/verdicts", json=body, headers=pages.ours).status_code == 200
    (verdict,) = pages.casebook.verdict_history(event.event_id)
    assert (verdict.scientific_name, verdict.observation_type) == ("Sus scrofa", "animal")


@pytest.mark.parametrize(
    "body",
    [{"outcome": "corrected", "taxon": "  "}, {"outcome": "confirmed", "ordinals": [7]}, {"outcome": "maybe"}],
)
def test_a_decision_that_fits_nothing_is_refused_and_not_kept(pages: Pages, body: dict[str, object]) -> None:
    event = pages.capture()
    answer = pages.client.post("/verdicts", json={"event_id": event.event_id, **body}, headers=pages.ours)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not pages.casebook.verdict_history(event.event_id)


def test_a_decision_that_the_store_does_not_take_is_recorded_closes_the_flag_and_wakes_the_sync(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = pages.capture()
    pages.flag(event)

    def refuse(verdicts: Sequence[Verdict]) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(pages.store, "apply_verdicts", refuse)
    woken = threading.Event()
    app = create_app(pages.store, pages.casebook, pages.media, ReviewOptions(), wake_verdict_sync=woken.set)
    with served(app) as client:
        ours = {"origin": str(client.base_url).rstrip("/")}
        body = {"event_id": event.event_id, "outcome": "dismissed"}
        assert client.post("/verdicts", json=body, headers=ours).status_code == 200
    assert woken.is_set()
    assert [one.outcome for one in pages.casebook.unapplied_verdicts()] == ["dismissed"]
    assert pages.casebook.totals().open_flags == 0


def test_a_player_gets_the_part_it_asks_for(pages: Pages) -> None:
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    pages.media.put(PICTURE, sha256)
    whole = pages.client.get(f"/media/{sha256}")
    assert (whole.content, whole.headers["content-type"]) == (PICTURE, "image/jpeg")
    assert whole.headers["cache-control"] == "private, max-age=300"
    for asked, part in [("bytes=0-2", PICTURE[:3]), ("bytes=1000-", PICTURE[1000:]), ("bytes=-5", PICTURE[-5:])]:
        answer = pages.client.get(f"/media/{sha256}", headers={"range": asked})
        assert (answer.status_code, answer.content) == (206, part)
    for asked in (
        f"bytes={len(PICTURE)}-",
        f"bytes={'9' * 5000}-",
        f"bytes=-{'9' * 5000}",
        "bytes=5-2",
        "bytes=0-1,3-4",
    ):
        assert pages.client.get(f"/media/{sha256}", headers={"range": asked}).status_code == 416


@pytest.mark.parametrize(
    ("data", "reason", "sentence"),
    [
        (b"<script>alert(1)</script>", "expected a JPEG", "The file is neither a picture"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "expected a JPEG",
            "The file is neither a picture",
        ),
        (b"\xff\xd8\xff<html><script>alert(1)</script>", "where a marker should be", "The file is damaged"),
        (PICTURE + b"<html><script>alert(1)</script>", "31 bytes after its end", ""),
        (png_of(13_300, 13_300, rows=1), "13300 x 13300 pixels", "The picture is too large."),
    ],
)
def test_what_cannot_be_shown_is_answered_with_the_reason(
    pages: Pages, data: bytes, reason: str, sentence: str
) -> None:
    sha256 = hashlib.sha256(data).hexdigest()
    pages.media.put(data, sha256)
    answer = pages.client.get(f"/media/{sha256}?lang=en")
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/json")
    assert reason in answer.json()["error"] and answer.json()["sentence"].startswith(sentence)


def test_a_picture_is_served_as_nothing_but_a_picture(pages: Pages) -> None:
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    pages.media.put(PICTURE, sha256)
    for asked in ({}, {"range": "bytes=0-2"}):
        headers = pages.client.get(f"/media/{sha256}", headers=asked).headers
        assert (headers["content-type"], headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
        assert "default-src 'none'" in headers["content-security-policy"]


def sound_event(pages: Pages, data: bytes) -> str:
    """Store an event with a clip, and return the address of its spectrogram."""
    sha256 = hashlib.sha256(data).hexdigest()
    medium = Media(sha256=sha256, type="audio/flac", size=len(data), role="clip")
    event = msgspec.structs.replace(pages.capture(), event_id=new_event_id(), capture="sound", media=(medium,))
    pages.store.write([Received(event, encode(event), datetime.now(UTC))])
    pages.media.put(data, sha256)
    return f"/events/{event.event_id}/spectrogram-{sha256}.png"


def test_a_spectrogram_is_drawn_and_served_as_a_png(pages: Pages) -> None:
    answer = pages.client.get(sound_event(pages, silence(48_000)))
    assert (answer.status_code, answer.headers["content-type"], answer.content[:4]) == (200, "image/png", b"\x89PNG")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (flac_that_says(500_000_000, silence(100)), "500000000 samples: expected a clip of at most"),
        (PICTURE, "expected a sound"),
        (b"<script>alert(1)</script>", "expected a sound"),
    ],
)
def test_a_spectrogram_that_cannot_be_drawn_is_answered_with_the_reason(pages: Pages, data: bytes, reason: str) -> None:
    answer = pages.client.get(sound_event(pages, data))
    assert answer.status_code == 415
    assert reason in answer.json()["error"]


def test_a_spectrogram_of_a_sound_that_is_not_of_the_event_is_not_drawn(pages: Pages) -> None:
    address = sound_event(pages, silence(48_000))
    other = pages.capture()
    assert pages.client.get(address.replace(address.split("/")[2], other.event_id)).status_code == 404


def test_a_busy_server_says_when_to_ask_again(pages: Pages) -> None:
    address = sound_event(pages, silence(48_000))
    drawings = Drawings(None, waiting=0)
    with served(create_app(pages.store, pages.casebook, pages.media, ReviewOptions(), drawings=drawings)) as client:
        answer = client.get(address)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [("", "", "zh-CN"), ("", "en-GB,en;q=0.9", "en"), ("", "fr,zh;q=0.8", "zh-CN"), ("en", "zh-CN", "en")],
)
def test_the_language_is_asked_for_preferred_or_chinese(pages: Pages, asked: str, accepted: str, language: str) -> None:
    text = pages.client.get("/", params={"lang": asked} if asked else {}, headers={"accept-language": accepted}).text
    assert f'<html lang="{language}"' in text


def test_a_name_with_markup_is_shown_as_text(pages: Pages) -> None:
    pages.capture(found=("<script>alert(1)</script>",))
    for address in ("/", "/trends"):
        assert "<script>alert" not in pages.client.get(address).text


def test_a_spreadsheet_takes_no_label_for_a_formula(pages: Pages) -> None:
    pages.capture(found=("=HYPERLINK(0)",))
    text = pages.client.get("/trends.csv?from=2026-05-31&to=2026-05-31").text
    assert ",'=HYPERLINK(0)," in text


def test_counts_for_programs_come_with_the_watched_time_of_each_day(pages: Pages) -> None:
    pages.capture()
    effort = effort_of(NOON - timedelta(hours=3), NOON, station="ridge-07")
    pages.store.write([Received(effort, encode(effort), datetime.now(UTC))])
    asked = "from=2026-05-30&to=2026-05-31&zone=Asia/Shanghai"
    assert pages.client.get(f"/api/trends?{asked}").json()["effort"] == [None, 3 * 3600]
    assert pages.client.get(f"/api/trends?{asked}&station=ridge-08").json()["effort"] == [None, None]
    rows = pages.client.get(f"/trends.csv?{asked}").text.lstrip("\ufeff").splitlines()
    assert rows == [
        "day,taxon,observation_type,detections,effort",
        "2026-05-30,Hydropotes inermis,animal,0,",
        "2026-05-31,Hydropotes inermis,animal,1,10800.0",
    ]
