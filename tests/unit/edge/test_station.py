"""The station's loop with real files, a real outbox and a small real detector: what it keeps, and when it could not."""

import shutil
import threading
import wave
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from captures.clock import system_clock
from captures.decoded import Sound
from captures.picture import read_picture
from contract import (
    Box,
    Classification,
    Clock,
    Deployment,
    Detection,
    Effort,
    Event,
    Health,
    Location,
    MediaContent,
    Model,
    SetAside,
    decode,
)
from contract.codec import Record
from contract.messages import ObservationType
from edge.capture.clip import Clip
from edge.capture.folder import FolderSource
from edge.capture.triggers import SilenceTrigger, loudness_db
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from models.port import Crop, Evidence
from models.threat.voice import VoiceOptions, VoicePolicy
from tests.eventually import eventually
from tests.species_network import NamedByCrop


class Light:
    """Finds a person wherever a picture is bright, and nothing in a dark one."""

    model = Model(name="light", version="1", sha256="1" * 64)

    def preprocess(self, item: Any) -> float:
        return float(read_picture(item, 64).pixels.mean()) / 255

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        return [
            [Detection(ordinal=0, label="light", observation_type="human", confidence=value, model="light")]
            if value > 0.5
            else []
            for value in batch
        ]


class Animals:
    """Finds an animal in the middle of each picture, which it reads at a fraction of its size, and a person beside."""

    model = Model(name="animals", version="1", sha256="6" * 64)

    def preprocess(self, item: Any) -> tuple[int, ...]:
        return read_picture(item, 64).pixels.shape

    def predict(self, batch: Sequence[tuple[int, ...]]) -> list[list[Detection]]:
        assert all(shape[1] < 1200 for shape in batch)
        boxes: dict[ObservationType, Box] = {"animal": Box(0.25, 0.5, 0.5, 0.25), "human": Box(0.0, 0.0, 0.5, 0.25)}
        return [
            [
                Detection(
                    ordinal=at, label=kind, observation_type=kind, confidence=0.9 - at / 10, model="animals", box=box
                )
                for at, (kind, box) in enumerate(boxes.items())
            ]
            for _ in batch
        ]


def by_size(crop: Crop) -> Classification:
    height, width = crop.pixels.shape[:2]
    return Classification(label=f"{width} x {height}", confidence=0.75, model="sizes")


class Noise:
    """Hears something wherever it is loud."""

    model = Model(name="noise", version="1", sha256="2" * 64)

    def preprocess(self, item: Sound) -> float:
        return loudness_db(item)

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        return [
            [Detection(ordinal=0, label="noise", observation_type="unknown", confidence=0.5, model="noise")]
            if value > -30
            else []
            for value in batch
        ]


class Talk:
    """Hears somebody in everything, and a shot as well where it is loud."""

    model = Model(name="talk", version="1", sha256="3" * 64)

    def preprocess(self, item: Sound) -> float:
        return loudness_db(item)

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        both = ("voice", "gunshot")
        return [
            [
                Detection(ordinal=number, label=label, observation_type="human", confidence=0.9, model="talk")
                for number, label in enumerate(both if value > -30 else both[:1])
            ]
            for value in batch
        ]


class Kept:
    """A folder, an outbox and a station on it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder / "in"
        self.folder.mkdir()
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.options = StationOptions(name="ridge-07", deployment="a", **options)
        self.listening: Sequence[Noise | Talk] = (Noise(),)
        self.voice = VoiceOptions()
        self.deployment: Deployment | None = None
        self.looking: Sequence[Light | Animals] = (Light(),)
        self.classifier: NamedByCrop | None = None
        self.stop = threading.Event()

    def run(self, once: bool = True, gap_s: float = 60) -> None:
        source = FolderSource(self.folder, self.outbox.mark_of, UTC, None, 3)
        sensor = Sensor(
            "yard", source, self.looking, gap_s, SilenceTrigger(), self.listening, classifier=self.classifier
        )
        station = Station(self.options, "wildpost", [sensor], self.outbox, voice=self.voice, deployment=self.deployment)
        station.run(self.stop, once, self.folder.parent)

    def picture(self, name: str, grey: int) -> None:
        cv2.imwrite(str(self.folder / name), np.full((900, 1200, 3), grey, np.uint8))

    def sound(self, name: str, seconds: float, peak: int) -> None:
        with wave.open(str(self.folder / name), "wb") as file:
            file.setparams((1, 2, 48_000, 0, "NONE", ""))
            samples = np.sin(np.arange(round(48_000 * seconds)) / 10) * peak
            file.writeframes(samples.astype("<i2").tobytes())

    def records(self, kind: type[Any]) -> list[Any]:
        found: list[Record] = [decode(message.topic, message.payload) for message in self.outbox.waiting(9999)]
        return [record for record in found if isinstance(record, kind)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path, effort_s=0.5, health_s=0.2)
    yield one
    one.outbox.close()


@pytest.fixture
def watching(kept: Kept) -> Iterator[Kept]:
    """The same, at work."""
    thread = threading.Thread(target=kept.run, kwargs={"once": False})
    thread.start()
    yield kept
    kept.stop.set()
    thread.join()


def test_a_picture_without_findings_is_an_event_too_and_both_have_thumbnails(kept: Kept) -> None:
    kept.picture("dark.jpg", 10)
    kept.picture("light.jpg", 240)
    kept.run()
    events = {event.media[0].name: event for event in kept.records(Event)}
    assert [len(events[name].detections) for name in ("dark.jpg", "light.jpg")] == [0, 1]
    assert {media.sha256 for event in events.values() for media in event.media if media.role == "thumbnail"} == {
        content.sha256 for content in kept.records(MediaContent)
    }
    thumbnail = cv2.imdecode(np.frombuffer(kept.records(MediaContent)[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert thumbnail is not None
    assert thumbnail.shape == (720, 960, 3)
    assert len({event.event_id for event in events.values()}) == 2
    assert sorted(event.sequence for event in events.values()) == [1, 2]


def test_an_animal_is_classified_on_the_pixels_of_the_whole_picture_and_a_person_is_not(kept: Kept) -> None:
    kept.options = msgspec.structs.replace(kept.options, latitude=31.5, longitude=117.25)
    kept.looking, kept.classifier = (Animals(),), NamedByCrop("sizes", by_size)
    kept.picture("large.jpg", 100)  # 1200 x 900
    kept.sound("loud.wav", 1.0, 20_000)
    kept.run()
    events = {event.capture: event for event in kept.records(Event)}
    animal, person = events["picture"].detections
    claim = Classification(label="600 x 225", confidence=0.75, model="sizes")
    assert (animal.label, animal.confidence, animal.model, animal.classification) == ("animal", 0.9, "animals", claim)
    assert (person.label, person.classification) == ("human", None)
    assert [model.name for model in events["picture"].models] == ["animals", "sizes"]
    assert [model.name for model in events["sound"].models] == ["noise"]
    (crop,) = kept.classifier.crops
    assert (crop.taken_at, crop.location) == (events["picture"].captured_at, Location(latitude=31.5, longitude=117.25))


def test_the_pictures_of_a_visit_are_classified_together(kept: Kept) -> None:
    deciding: list[int] = []

    class Counting(NamedByCrop):
        def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
            deciding.append(len(evidence))
            return super().decide(evidence)

    kept.looking, kept.classifier = (Animals(),), Counting("sizes", by_size)
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        kept.picture(name, 100)
    kept.run()
    visits = [event.visit_id for event in kept.records(Event)]
    assert (len(visits), len(set(visits)), deciding) == (3, 1, [1, 2, 3])


def test_without_a_classifier_nothing_is_classified(kept: Kept) -> None:
    kept.looking = (Animals(),)
    kept.picture("large.jpg", 100)
    kept.run()
    (event,) = kept.records(Event)
    assert [one.classification for one in event.detections] == [None, None]
    assert [model.name for model in event.models] == ["animals"]


def test_a_person_goes_before_what_was_kept_earlier(kept: Kept) -> None:
    kept.picture("a dark.jpg", 10)
    kept.run()
    kept.picture("b light.jpg", 240)
    kept.run()
    assert [event.media[0].name for event in kept.records(Event)] == ["b light.jpg", "a dark.jpg"]


def test_a_long_recording_is_one_event_a_stretch_with_a_clip_where_something_was_heard(kept: Kept) -> None:
    kept.sound("20260501_040000.wav", 7, 20_000)
    kept.run()
    events = sorted(kept.records(Event), key=lambda event: event.captured_at)
    assert [event.duration_s for event in events] == [3, 3, 1]
    assert [event.captured_at.second for event in events] == [0, 3, 6]
    assert all([media.role for media in event.media] == ["original", "clip"] for event in events)
    assert len({event.visit_id for event in events}) == 1


def test_a_quiet_stretch_has_no_clip_and_silence_no_event(kept: Kept) -> None:
    kept.sound("20260501_040000.wav", 2, 100)
    kept.sound("20260501_050000.wav", 2, 0)
    kept.run()
    assert [[media.role for media in event.media] for event in kept.records(Event)] == [["original"]]
    assert kept.records(MediaContent) == []


@pytest.mark.parametrize(
    ("policy", "clips", "sent", "dropped"),
    [("keep", ["loud.wav", "quiet.wav"], 2, 0), ("keep-with-threat", ["loud.wav"], 1, 1), ("drop", [], 0, 2)],
)
def test_a_clip_with_a_voice_leaves_the_station_as_its_policy_says(
    kept: Kept, policy: VoicePolicy, clips: list[str], sent: int, dropped: int
) -> None:
    kept.listening, kept.voice = (Talk(),), VoiceOptions(policy=policy)
    kept.sound("loud.wav", 1, 20_000)
    kept.sound("quiet.wav", 1, 300)
    kept.run()
    events = {event.media[0].name: event for event in kept.records(Event)}
    assert [name for name in sorted(events) if events[name].media[-1].role == "clip"] == clips
    assert len(kept.records(MediaContent)) == len(clips)
    assert all("voice" in {found.label for found in event.detections} for event in events.values())
    assert all(event.media[0].role == "original" for event in events.values())
    last = max(kept.records(Health), key=lambda record: record.at)
    assert (last.voice_clips_sent, last.voice_clips_dropped) == (sent, dropped)


def test_how_many_voices_were_held_back_is_known_after_a_restart(kept: Kept) -> None:
    kept.listening, kept.voice = (Talk(),), VoiceOptions(policy="drop")
    for name in ("a.wav", "b.wav"):
        kept.sound(name, 1, 300)
        kept.run()
    assert max(record.voice_clips_dropped for record in kept.records(Health)) == 2


def test_what_no_detector_understands_is_set_aside_and_said(kept: Kept) -> None:
    kept.listening = ()
    kept.sound("night.wav", 1, 20_000)
    kept.picture("light.jpg", 240)
    kept.run()
    assert [report.name for report in kept.records(SetAside)] == ["night.wav"]
    assert "has no detector for sound" in kept.records(SetAside)[0].reason
    assert len(kept.records(Event)) == 1


BROKEN: dict[str, Callable[[Path, bytes], object]] = {
    "header only.jpg": lambda path, whole: path.write_bytes(whole[:300]),
    "empty.jpg": lambda path, _: path.write_bytes(b""),
    "text.jpg": lambda path, _: path.write_bytes("这不是图片".encode()),
}


def test_broken_pictures_are_set_aside_with_reasons_once_and_stay_where_they_are(kept: Kept) -> None:
    kept.picture("light.jpg", 240)
    whole = (kept.folder / "light.jpg").read_bytes()
    for name, break_it in BROKEN.items():
        break_it(kept.folder / name, whole)
    for _ in range(2):
        kept.run()
    reports = {report.name: report for report in kept.records(SetAside)}
    assert set(reports) == set(BROKEN)
    assert len(kept.records(SetAside)) == len(BROKEN)
    assert all(report.reason for report in reports.values())
    assert len(kept.records(Event)) == 1
    assert {path.name for path in kept.folder.iterdir()} == {"light.jpg", *BROKEN}
    assert kept.records(Health)[-1].set_aside == len(BROKEN)


class FailingAtGrey(Light):
    """Fails with an unexpected exception at a picture of one shade."""

    def preprocess(self, item: Any) -> float:
        value = super().preprocess(item)
        if 90 < 255 * value < 110:
            raise OverflowError("a defect at this picture")
        return value


def test_a_file_at_which_the_station_fails_is_set_aside_and_the_others_are_examined(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.station.RETRY_FIRST_S", 0.01)
    kept.looking = (FailingAtGrey(),)
    for name, grey in (("1.jpg", 200), ("2.jpg", 100), ("3.jpg", 220)):
        kept.picture(name, grey)
    kept.run()
    assert len(kept.records(Event)) == 2
    (report,) = kept.records(SetAside)
    assert (report.name, "OverflowError: a defect at this picture" in report.reason) == ("2.jpg", True)
    assert {one.gap for one in kept.records(Effort) if not one.watching} == {"broken"}


def test_a_sensor_that_fails_is_restarted(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.station.RETRY_FIRST_S", 0.01)
    captures, failures = FolderSource.captures, [ZeroDivisionError("a defect")]

    def failing(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return captures(*arguments)

    monkeypatch.setattr(FolderSource, "captures", failing)
    kept.picture("1.jpg", 200)
    thread = threading.Thread(target=kept.run, kwargs={"once": False})
    thread.start()
    eventually(lambda: kept.records(Event), "the picture")
    kept.stop.set()
    thread.join()


def test_a_sensor_that_sees_nothing_says_that_it_watched(watching: Kept) -> None:
    eventually(lambda: len(watching.records(Effort)) >= 2, "accounts of effort")
    assert all(effort.watching and effort.captures == 0 for effort in watching.records(Effort))
    assert len(watching.records(Health)) >= 2


def test_a_folder_that_vanishes_is_a_gap_and_the_sensor_watches_when_it_is_back_though_nothing_new_came(
    watching: Kept,
) -> None:
    watching.picture("one.jpg", 240)
    eventually(lambda: watching.records(Event), "the first event")
    shutil.move(watching.folder, watching.folder.with_name("away"))
    eventually(lambda: any(effort.gap == "broken" for effort in watching.records(Effort)), "a gap")
    assert any("is it mounted" in effort.note for effort in watching.records(Effort) if effort.gap)
    shutil.move(watching.folder.with_name("away"), watching.folder)
    eventually(lambda: watching.records(Effort)[-1].watching, "watching again")
    watching.picture("two.jpg", 240)
    eventually(lambda: len(watching.records(Event)) == 2, "the second event")


def test_a_full_disk_is_a_gap_and_everything_is_taken_up_when_there_is_room(
    watching: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    watching.picture("one.jpg", 240)
    eventually(lambda: watching.records(Event), "the first event")
    connection = watching.outbox._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then reports a full disk
    for number in range(20):
        watching.picture(f"more {number:02}.jpg", 200 + number)
    eventually(lambda: "yard" in caplog.text and "make room" in caplog.text, "the sensor says that there is no room")
    assert len(watching.records(Event)) < 21
    connection.execute("PRAGMA max_page_count = 1000000")
    eventually(lambda: len(watching.records(Event)) == 21, "all events")
    eventually(lambda: any(effort.gap == "disk" for effort in watching.records(Effort)), "the gap's account")
    names = [event.media[0].name for event in watching.records(Event)]
    assert len(names) == len(set(names))


PLACED = Deployment(
    station="ridge-07", deployment="a", at=datetime(2026, 4, 12, tzinfo=UTC), sensors=(), evidence_use="lead"
)


def test_the_deployment_is_sent_once_at_each_start_and_every_event_and_effort_names_it(kept: Kept) -> None:
    kept.deployment = PLACED
    kept.picture("one.jpg", 240)
    kept.run()
    assert kept.records(Deployment) == [PLACED]
    named = {record.deployment for kind in (Event, Effort) for record in kept.records(kind)}
    assert named == {PLACED.deployment}
    kept.run()
    assert kept.records(Deployment) == [PLACED, PLACED]


def test_a_deployment_for_which_there_was_no_room_is_sent_when_there_is(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.deployment = msgspec.structs.replace(PLACED, tags=("long" * 50,) * 50)  # larger than what is free in a page
    connection = kept.outbox._connection
    connection.execute("PRAGMA max_page_count = 1")  # SQLite then reports a full disk
    thread = threading.Thread(target=kept.run, kwargs={"once": False})
    thread.start()
    try:
        eventually(lambda: "make room" in caplog.text, "the station says that there is no room")
        assert kept.records(Deployment) == []
        connection.execute("PRAGMA max_page_count = 1000000")
        eventually(lambda: kept.records(Deployment), "the deployment")
    finally:
        kept.stop.set()
        thread.join()


def test_a_station_that_woke_without_a_clock_says_so_and_a_kernel_is_asked_otherwise() -> None:
    assert system_clock(datetime(1970, 1, 1, tzinfo=UTC)) == Clock(source="none", synchronised=False)
    clock = system_clock(datetime(2026, 5, 1, tzinfo=UTC))
    assert clock.source in ("ntp", "system")
    assert clock.synchronised == (clock.source == "ntp")


def test_loudness_is_measured_below_full_scale() -> None:
    tone = np.sin(np.arange(48_000) * 0.1).astype(np.float32)
    assert loudness_db(Sound(tone, 48_000)) == pytest.approx(-3.01, abs=0.05)
    assert loudness_db(Sound(np.zeros(10, np.float32), 48_000)) == -120
    clip = Clip(
        Sound(tone / 1000, 48_000), datetime(2026, 5, 1, tzinfo=UTC), Clock(source="rtc", synchronised=False), "x"
    )
    assert SilenceTrigger(-70)(clip)
    assert not SilenceTrigger(-60)(clip)
