"""What a station records itself stays on it without loss: within its quota, counted, and never a voice held back."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from captures.capture_time import recording_time
from captures.decoded import Sound
from contract import Clock, Detection, Event, Health, Model, decode
from edge.capture.clip import Clip
from edge.capture.originals import Originals, OriginalsPolicy, Recordings, flac
from edge.capture.port import SourceLost
from edge.capture.triggers import loudness_db
from edge.outbox.outbox import Outbox, OutboxFull
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from models.threat.voice import VoiceOptions, VoicePolicy

BEGAN = datetime(2026, 5, 21, 5, 30, tzinfo=UTC)
LOUD, SOFT, QUIET = 0.5, 0.05, 0.001


class Talk:
    """Hears somebody unless it is quiet, and a shot as well where it is loud."""

    model = Model(name="talk", version="1", sha256="3" * 64)

    def preprocess(self, item: Sound) -> float:
        return loudness_db(item)

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        labels = [["voice", "gunshot"] if value > -20 else ["voice"] if value > -50 else [] for value in batch]
        return [
            [
                Detection(ordinal=number, label=label, observation_type="human", confidence=0.9, model="talk")
                for number, label in enumerate(heard)
            ]
            for heard in labels
        ]


class Played:
    """Gives stretches of noise as a microphone does: in memory, with no file behind them."""

    def __init__(self, loudness: Sequence[float]) -> None:
        random = np.random.default_rng(1)
        self.sounds = [(random.normal(0, 0.3, 16_000) * level).astype(np.float32) for level in loudness]

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip]:
        for number, samples in enumerate(self.sounds):
            at = BEGAN + timedelta(seconds=number)
            sound = Sound(samples, 16_000, at)
            yield Clip(sound, at, Clock(source="ntp", synchronised=True), f"{at:%Y%m%dT%H%M%SZ}.wav")
        if not once:
            raise SourceLost("deaf", "played to the end")


class Heard:
    """What a station kept of some stretches."""

    def __init__(
        self, folder: Path, loudness: Sequence[float], which: OriginalsPolicy, policy: VoicePolicy, quota: int = 10**9
    ) -> None:
        self.folder = folder / "kept"
        with closing(Outbox(folder / "outbox.sqlite")) as outbox:
            originals = Originals(self.folder, quota, lambda number: outbox.commit([], evicted_originals=number))
            sensor = Sensor(
                "ear", Played(loudness), (), 60, listening=[Talk()], recordings=Recordings(originals, which)
            )
            options = StationOptions(name="lake-07", deployment="a")
            station = Station(options, "wildpost", [sensor], outbox, voice=VoiceOptions(policy=policy))
            station.run(threading.Event(), True, folder)
            records: list[Any] = [decode(message.topic, message.payload) for message in outbox.waiting(999)]
        self.events = sorted((one for one in records if isinstance(one, Event)), key=lambda event: event.captured_at)
        self.given_up = max(one.evicted_originals for one in records if isinstance(one, Health))
        self.files = sorted(path.name for path in self.folder.iterdir())

    def roles(self) -> list[list[str]]:
        return [[media.role for media in event.media] for event in self.events]


@pytest.mark.parametrize(
    ("which", "policy", "roles"),
    [
        ("found", "keep", [["original", "clip"], ["original", "clip"], []]),
        ("found", "keep-with-threat", [["original", "clip"], [], []]),
        ("found", "drop", [[], [], []]),
        ("all", "keep", [["original", "clip"], ["original", "clip"], ["original"]]),
        ("all", "keep-with-threat", [["original", "clip"], [], ["original"]]),
        ("all", "drop", [[], [], ["original"]]),
        ("none", "keep", [["clip"], ["clip"], []]),
    ],
)
def test_an_original_is_kept_as_set_and_never_one_whose_clip_is_held_back(
    which: OriginalsPolicy, policy: VoicePolicy, roles: list[list[str]], tmp_path: Path
) -> None:
    heard = Heard(tmp_path, [LOUD, SOFT, QUIET], which, policy)
    assert heard.roles() == roles
    named = {media.name: media.sha256 for event in heard.events for media in event.media if media.role == "original"}
    assert sorted(named) == heard.files
    for name, digest in named.items():
        assert hashlib.sha256((heard.folder / name).read_bytes()).hexdigest() == digest


def test_beyond_the_quota_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    one = len(flac(Sound(Played([LOUD]).sounds[0], 16_000)))
    heard = Heard(tmp_path, [LOUD] * 6, "found", "keep", quota=round(2.5 * one))
    assert heard.files == ["20260521T053004Z.flac", "20260521T053005Z.flac"]
    assert heard.given_up == 4
    assert heard.roles() == [["original", "clip"]] * 6, "each had its original when it was found"


def test_without_room_for_an_original_the_finding_is_kept_and_the_loss_counted(tmp_path: Path) -> None:
    heard = Heard(tmp_path, [LOUD, LOUD], "found", "keep", quota=100)
    assert heard.roles() == [["clip"], ["clip"]]
    assert (heard.files, heard.given_up) == ([], 2)


def test_a_folder_that_cannot_be_written_costs_no_finding(tmp_path: Path) -> None:
    given_up: list[int] = []
    originals = Originals(tmp_path / "kept", 10**9, given_up.append)
    (tmp_path / "kept").rmdir()
    clip = next(Played([LOUD]).captures(threading.Event(), True))
    found = Talk().predict([0.0])[0]
    assert Recordings(originals, "found").store(clip, found, True) is clip
    assert given_up == [1]


def test_a_counter_without_room_costs_no_finding_and_is_made_up_for(tmp_path: Path) -> None:
    counted: list[int] = []

    room = iter([False, False, True])

    def count(number: int) -> None:
        if not next(room):
            raise OutboxFull("no room")
        counted.append(number)

    clip = next(Played([LOUD]).captures(threading.Event(), True))
    recordings = Recordings(Originals(tmp_path, 100, count), "all")
    for _ in range(3):
        assert recordings.store(clip, [], True) is clip
    assert counted == [3]


def test_what_is_there_is_not_overwritten_when_the_clock_is_set_back(tmp_path: Path) -> None:
    originals = Originals(tmp_path, 10**9)
    names = [originals.keep(data, "20260521T053000Z.flac", "audio/flac")[1].name for data in (b"first", b"second")]
    assert names == ["20260521T053000Z.flac", "20260521T053000Z-2.flac"]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"first", b"second"]


def test_not_one_bit_of_a_microphone_of_16_bits_is_lost_and_none_is_added() -> None:
    random = np.random.default_rng(1)
    samples = random.integers(-(2**15), 2**15, 48_000).astype(np.int16)
    samples[:2] = (-(2**15), 2**15 - 1)
    data = flac(Sound(samples.astype(np.float32) / np.float32(2**15), 48_000))
    read, rate_hz = soundfile.read(BytesIO(data), dtype="int16")
    assert rate_hz == 48_000
    np.testing.assert_array_equal(read, samples)
    plain = BytesIO()
    soundfile.write(plain, samples, 48_000, format="FLAC", subtype="PCM_16")
    assert len(data) < 1.01 * len(plain.getvalue())


def test_a_station_s_own_recording_that_is_read_again_has_its_time_from_its_name(tmp_path: Path) -> None:
    path = tmp_path / "20260521T053000Z.flac"
    path.write_bytes(flac(Sound(Played([LOUD]).sounds[0], 16_000)))
    eight = datetime.fromisoformat("2026-01-01T00:00:00+08:00").tzinfo
    assert eight is not None
    assert recording_time(path, eight, 0)[0] == BEGAN
    local = path.rename(tmp_path / "20260521_053000.flac")
    assert recording_time(local, eight, 0)[0] == BEGAN - timedelta(hours=8)
