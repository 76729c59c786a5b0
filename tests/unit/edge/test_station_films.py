"""A film becomes one event with its span, a poster and a clip; its sound is analysed; a bad film is set aside."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captures.decoded import Sound
from captures.file_types import FILMS
from captures.picture import read_picture
from contract import Box, Detection, Event, MediaContent, Model, Record, SetAside, decode
from edge.capture.folder import FolderSource
from edge.capture.triggers import SilenceTrigger, loudness_db
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from ingest.media.content_type import check_type
from tests.films import scene, write_film

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Discs:
    """Finds every bright disc in a picture, as a deer; a very large one is a human."""

    model = Model(name="discs", version="1", sha256="1" * 64)

    def preprocess(self, item: bytes | Path) -> NDArray[np.uint8]:
        return read_picture(item, 320).pixels

    def predict(self, batch: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        return [self._found(pixels) for pixels in batch]

    def _found(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        height, width = pixels.shape[:2]
        number, _, stats, _ = cv2.connectedComponentsWithStats((pixels[..., 0] > 200).astype(np.uint8))
        found: list[Detection] = []
        for left, top, wide, high, area in stats[1:number]:
            if area < 100:
                continue
            human = high > height / 2
            box = Box(*(float(part) for part in (left / width, top / height, wide / width, high / height)))
            found.append(
                Detection(
                    ordinal=len(found),
                    label="human" if human else "deer",
                    observation_type="human" if human else "animal",
                    confidence=0.8,
                    model="discs",
                    box=box,
                )
            )
        return found


class Tones:
    """Hears a whistle wherever it is not silent."""

    model = Model(name="tones", version="1", sha256="2" * 64)

    def preprocess(self, item: Sound) -> float:
        return loudness_db(item)

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        whistle = Detection(ordinal=0, label="whistle", observation_type="animal", confidence=0.7, model="tones")
        return [[whistle] if level > -60 else [] for level in batch]


class Card:
    """A card, and a station that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "DCIM"
        self.folder.mkdir()
        self.outbox = Outbox(folder / "outbox.sqlite")

    def run(self, sees: bool = True, hears: bool = False) -> None:
        import threading

        mark_of = self.outbox.mark_of
        source = FolderSource(self.folder, mark_of, UTC, None, 2, sees=sees, hears=hears)
        sensor = Sensor(
            "yard", source, [Discs()] if sees else [], 60, SilenceTrigger(), listening=[Tones()] if hears else []
        )
        options = StationOptions(name="ridge-07", deployment="a")
        Station(options, "wildpost", [sensor], self.outbox).run(threading.Event(), True, self.folder)

    def records(self, kind: type[Any]) -> list[Any]:
        found: list[Record] = [decode(message.topic, message.payload) for message in self.outbox.waiting(9999)]
        return [record for record in found if isinstance(record, kind)]


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    one = Card(tmp_path)
    yield one
    one.outbox.close()


@pytest.mark.parametrize(("name", "codec"), [("IMAG0001.AVI", "mjpeg"), ("IMAG0002.MP4", "libx264")])
def test_a_film_is_one_event_with_its_span_a_poster_and_a_clip(card: Card, name: str, codec: str) -> None:
    tags = {"creation_time": "2026-05-01T12:00:00Z"} if codec == "libx264" else {}
    path = write_film(card.folder / name, codec=codec, sound="aac" if codec == "libx264" else "pcm_s16le", tags=tags)
    card.run()
    (event,) = card.records(Event)
    assert event.capture == "film" and event.duration_s == pytest.approx(4, abs=0.2)
    if tags:
        assert event.captured_at == NOON and event.clock.source == "recorder"
    (deer,) = event.detections
    assert deer.label == "deer" and deer.box is not None
    assert deer.span is not None and 0 <= deer.span.start_s < 1 and 3 < deer.span.end_s <= 4
    original, poster, clip = event.media
    assert original.role == "original" and original.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (poster.role, poster.type, clip.role, clip.type) == ("thumbnail", "image/jpeg", "clip", "video/mp4")
    sent = {content.sha256: content for content in card.records(MediaContent)}
    assert set(sent) == {poster.sha256, clip.sha256}
    for content in sent.values():
        check_type(content)
    shown = read_picture(sent[poster.sha256].data, 320).pixels
    row, column = round((deer.box.y + deer.box.height / 2) * 240), round((deer.box.x + deer.box.width / 2) * 320)
    assert shown[row, column].mean() > 200
    with av.open(BytesIO(sent[clip.sha256].data), "r") as playing:
        assert sum(1 for _ in playing.decode(video=0)) > 30
    card.run()
    assert len(card.records(Event)) == 1, "it is read once"


def test_a_blank_film_has_a_poster_and_no_clip(card: Card) -> None:
    write_film(card.folder / "a.avi", frames=iter([np.full((240, 320, 3), 90, np.uint8)] * 20))
    card.run()
    (event,) = card.records(Event)
    assert event.detections == ()
    assert [media.role for media in event.media] == ["original", "thumbnail"]


def test_a_person_in_one_frame_is_on_the_poster_and_herds_are_counted_by_their_largest(card: Card) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        for at in range(80):
            picture = scene(at, 320, 240)
            if at >= 40:
                cv2.circle(picture, (160, 30), 20, (255, 255, 255), -1)
                cv2.circle(picture, (240, 200), 20, (255, 255, 255), -1)
            if at == 15:
                cv2.rectangle(picture, (200, 0), (230, 239), (255, 255, 255), -1)
            yield picture

    write_film(card.folder / "a.avi", seconds=8, frames=frames())
    card.run()
    (event,) = card.records(Event)
    by_label = sorted((one.label, one.box is not None) for one in event.detections)
    assert by_label == [("deer", False), ("deer", False), ("deer", True), ("human", True)]
    human = next(one for one in event.detections if one.label == "human")
    assert human.span.start_s == human.span.end_s == pytest.approx(1.5)
    assert [one.ordinal for one in event.detections] == [0, 1, 2, 3]


def test_the_sound_track_gives_sound_events_of_the_same_visit(card: Card) -> None:
    write_film(card.folder / "20260501_120000.mp4", codec="libx264", seconds=6, sound="aac", loud_s=(2.2, 3.8))
    card.run(hears=True)
    film, *sounds = sorted(card.records(Event), key=lambda one: one.sequence)
    assert film.capture == "film" and {one.capture for one in sounds} == {"sound"}
    heard = [one for one in sounds if one.detections]
    assert [one.captured_at for one in heard] == [NOON + timedelta(seconds=2)]
    assert {one.visit_id for one in sounds} == {film.visit_id}
    assert {one.media[0].sha256 for one in sounds} == {film.media[0].sha256}
    before = len(card.records(Event))
    card.run(hears=True)
    assert len(card.records(Event)) == before


def test_a_sensor_that_only_listens_hears_a_film_and_sets_a_silent_one_aside(card: Card) -> None:
    write_film(card.folder / "a.mp4", codec="libx264", sound="aac")
    write_film(card.folder / "b.avi")
    card.run(sees=False, hears=True)
    assert {one.capture for one in card.records(Event)} == {"sound"}
    (report,) = card.records(SetAside)
    assert report.name == "b.avi" and "without a sound track" in report.reason


def test_a_film_of_sound_alone_is_heard_or_set_aside(card: Card) -> None:
    write_film(card.folder / "a.mp4", codec="", sound="aac")
    card.run()
    (report,) = card.records(SetAside)
    assert "without pictures" in report.reason and card.records(Event) == []


def test_a_film_that_is_cut_off_is_used_and_reported(card: Card) -> None:
    path = write_film(card.folder / "a.avi", seconds=8)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    card.run()
    assert len(card.records(Event)) == 1
    (report,) = card.records(SetAside)
    assert "cut off" in report.reason
    card.run()
    assert len(card.records(Event)) == len(card.records(SetAside)) == 1


def test_bad_films_cost_themselves_and_say_why(card: Card) -> None:
    whole = write_film(card.folder / "good.mp4", codec="libx264").read_bytes()
    (card.folder / "empty.avi").write_bytes(b"")
    (card.folder / "lost.mp4").write_bytes(whole[: whole.rindex(b"moov") - 4])
    (card.folder / "text.mov").write_text("not a film")
    card.run()
    assert len(card.records(Event)) == 1
    reasons = {report.name: report.reason for report in card.records(SetAside)}
    assert set(reasons) == {"empty.avi", "lost.mp4", "text.mov"}
    assert "0 bytes" in reasons["empty.avi"] and "moov" in reasons["lost.mp4"] and "first bytes" in reasons["text.mov"]


def test_a_film_is_known_by_its_content_and_all_endings_are_looked_at(card: Card) -> None:
    write_film(card.folder / "a.avi").rename(card.folder / "a.jpg")
    card.run()
    assert [one.capture for one in card.records(Event)] == ["film"]
    assert {".avi", ".mp4", ".mov"} <= FILMS


def test_the_station_goes_on_when_a_decoder_crashes(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(card.folder / "a.avi")
    cv2.imwrite(str(card.folder / "b.jpg"), scene(1, 320, 240))
    # A decoder that gets ready and crashes: what a hostile film does to FFmpeg.
    crashing = card.folder.parent / "crashes.py"
    crashing.write_text(
        "#!/usr/bin/env python3\nimport os, struct, sys\n"
        "ready = b'\\x81\\xa4type\\xa5Ready'\nsys.stdout.buffer.write(struct.pack('>I', len(ready)) + ready)\n"
        "sys.stdout.flush()\nos.abort()\n"
    )
    crashing.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(crashing))
    card.run()
    (report,) = card.records(SetAside)
    assert report.name == "a.avi" and "ended the process" in report.reason
    assert [one.capture for one in card.records(Event)] == ["picture"]
