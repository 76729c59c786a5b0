"""The folder source against whatever a card may hold: half-written, broken, badly named, gone."""

import os
import shutil
import threading
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from captures.capture_time import picture_time, recording_time
from captures.decoded import Sound, Unreadable
from edge.capture.clip import AlreadyHeard, Clip, FileMark, Unusable
from edge.capture.folder import FolderSource
from edge.capture.port import SourceLost
from edge.outbox.outbox import Outbox
from tests.exif import ascii_value, tiff, with_exif
from tests.pictures import grey_jpeg

CHINA = timezone(timedelta(hours=8))


def recording(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(round(8000 * seconds))) * 3000).astype("<i2").tobytes())


class Folder:
    """A folder, its outbox and its source, as a station has them."""

    def __init__(self, path: Path, outbox: Outbox) -> None:
        self.path = path
        self.outbox = outbox
        path.mkdir()

    def source(self, stretch_s: float = 60) -> FolderSource:
        return FolderSource(self.path, self.outbox.mark_of, CHINA, None, stretch_s, last_mark=self.outbox.last_mark)

    def take_up(self, stretch_s: float = 60) -> list[Clip | Unusable]:
        """Work off what is there, noting each capture as a station does."""
        taken: list[Clip | Unusable] = []
        for capture in self.source(stretch_s).captures(threading.Event(), once=True):
            if capture is not None:
                self.outbox.commit([], capture.mark)
                if not isinstance(capture, AlreadyHeard):
                    taken.append(capture)
        return taken


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    yield Folder(tmp_path / "in", outbox)
    outbox.close()


def test_hidden_partial_and_foreign_files_and_folders_named_like_pictures_are_passed_over(folder: Folder) -> None:
    (folder.path / "a folder.jpg").mkdir()
    for name in (".hidden.jpg", "arriving.jpg.part", "notes.txt"):
        (folder.path / name).write_bytes(grey_jpeg())
    (folder.path / ".trash").mkdir()
    (folder.path / ".trash" / "old.jpg").write_bytes(grey_jpeg())
    assert folder.take_up() == []


def test_a_growing_file_is_left_alone_until_it_stands_still(folder: Folder) -> None:
    whole = grey_jpeg()
    path = folder.path / "slow.jpg"
    path.write_bytes(whole[:100])
    stop = threading.Event()
    captures = folder.source().captures(stop, once=False)
    for end in (200, 300, len(whole)):  # None: it looked, and nothing was complete
        assert next(captures) is None
        path.write_bytes(whole[:end])
    assert next(captures) is None, "it has only just stopped growing"
    taken = next(captures)
    stop.set()
    assert isinstance(taken, Clip)
    assert taken.original is not None
    assert taken.original.size == len(whole)


def test_a_file_worked_off_is_never_taken_up_again_and_a_changed_one_is(folder: Folder) -> None:
    path = folder.path / "one.jpg"
    path.write_bytes(grey_jpeg())
    before = path.stat()
    assert len(folder.take_up()) == 1
    assert folder.take_up() == []
    after = path.stat()
    assert (after.st_mtime_ns, path.read_bytes()) == (before.st_mtime_ns, grey_jpeg()), "originals stay as they are"
    path.write_bytes(grey_jpeg() + b"more")
    assert len(folder.take_up()) == 1


def test_a_long_recording_goes_on_at_the_stretch_where_it_was_left(folder: Folder) -> None:
    recording(folder.path / "night.wav", 10)
    stopped = folder.source(stretch_s=3).captures(threading.Event(), once=True)
    first: list[Clip] = []
    while len(first) < 2:
        capture = next(stopped)
        if isinstance(capture, Clip):
            folder.outbox.commit([], capture.mark)
            first.append(capture)
    rest = folder.take_up(stretch_s=3)
    sounds = [clip.content for clip in [*first, *rest] if isinstance(clip, Clip)]
    assert [round(sound.duration_s) for sound in sounds if isinstance(sound, Sound)] == [3, 3, 3, 1]
    assert folder.take_up(stretch_s=3) == []


def test_names_in_chinese_in_either_encoding_are_taken_up(folder: Folder) -> None:
    (folder.path / "红外相机_野猪.jpg").write_bytes(grey_jpeg())
    recording(folder.path / "声音 夜.wav", 1)
    gbk = os.fsencode(folder.path) + b"/" + "野猪".encode("gbk") + b".jpg"
    with open(gbk, "wb") as file:  # noqa: PTH123, the name is bytes, as an old card has it
        file.write(grey_jpeg())
    taken = folder.take_up()
    assert {one.name for one in taken} == {"红外相机_野猪.jpg", "声音 夜.wav", "Ұ\\xd6\\xed.jpg"}
    assert all(isinstance(one, Clip) for one in taken)
    assert folder.take_up() == []


def wrong_header(path: Path) -> None:
    recording(path, 1)
    data = bytearray(path.read_bytes())
    data[24:28] = (4_000_000_000).to_bytes(4, "little")  # samples per second
    path.write_bytes(data)


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty.wav": lambda path: path.write_bytes(b""),
    "text.wav": lambda path: path.write_bytes("这不是录音\n".encode()),
    "header.wav": wrong_header,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_recording_is_set_aside_once_and_the_rest_goes_on(name: str, folder: Folder) -> None:
    BROKEN[name](folder.path / name)
    recording(folder.path / "zz good.wav", 1)
    taken = folder.take_up()
    broken = [one for one in taken if isinstance(one, Unusable)]
    assert [one.name for one in broken] == [name]
    assert name in broken[0].reason
    assert [one.name for one in taken if isinstance(one, Clip)] == ["zz good.wav"]
    assert folder.take_up() == []


def test_a_file_the_system_does_not_hand_out_is_set_aside_after_three_attempts(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bad sector cannot be had to order; the error is what the kernel gives for one.
    (folder.path / "bad.jpg").write_bytes(grey_jpeg())
    source = folder.source()

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("edge.capture.folder.picture_time", broken)
    for _ in range(2):
        with pytest.raises(SourceLost, match="Input/output error"):
            list(source.captures(threading.Event(), once=True))
    taken = [one for one in source.captures(threading.Event(), once=True) if isinstance(one, (Clip, Unusable))]
    assert [(type(one), one.name) for one in taken] == [(Unusable, "bad.jpg")]


def test_a_folder_that_vanishes_is_lost_and_goes_on_where_it_was_when_it_is_back(folder: Folder) -> None:
    (folder.path / "one.jpg").write_bytes(grey_jpeg())
    assert len(folder.take_up()) == 1
    away = folder.path.with_name("away")
    folder.path.rename(away)
    with pytest.raises(SourceLost, match="is it mounted"):
        folder.take_up()
    away.rename(folder.path)
    (folder.path / "two.jpg").write_bytes(grey_jpeg())
    assert [one.name for one in folder.take_up()] == ["two.jpg"]
    shutil.rmtree(folder.path)


def with_tags(tags: dict[int, str]) -> bytes:
    """A JPEG whose EXIF data has these texts."""
    return with_exif(grey_jpeg(), tiff({}, {tag: ascii_value(text) for tag, text in sorted(tags.items())}))


@pytest.mark.parametrize(
    ("tags", "hour", "source"),
    [
        ({0x9003: "2024:05:01 20:00:00", 0x9011: "+06:00"}, 14, "exif"),
        ({0x9003: "2024:05:01 20:00:00"}, 12, "exif"),
        ({0x9003: "2024:05:01 20:00:00", 0x9011: "   :  "}, 12, "exif"),
        ({0x9003: "2024:05:01 20:00:00", 0x9011: ".5"}, 12, "exif"),
        ({0x9003: "0000:00:00 00:00:00"}, 3, "copy"),
    ],
)
def test_a_picture_was_taken_when_its_camera_says(tags: dict[int, str], hour: int, source: str, tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(with_tags(tags))
    modified = datetime(2024, 5, 1, 3, tzinfo=UTC)
    taken, clock = picture_time(path, CHINA, int(modified.timestamp()) * 10**9)
    assert (taken.astimezone(UTC).hour, clock.source) == (hour, source)
    assert not clock.synchronised


def test_without_exif_the_name_tells_and_without_that_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "20240501_200000.wav"
    recording(path, 1)
    taken, clock = recording_time(path, CHINA, 0)
    assert (taken.astimezone(UTC), clock.source) == (datetime(2024, 5, 1, 12, tzinfo=UTC), "name")
    modified = int(datetime(2024, 5, 1, 3, tzinfo=UTC).timestamp()) * 10**9
    plain = path.rename(tmp_path / "plain.wav")
    assert recording_time(plain, CHINA, modified)[0] == datetime(2024, 5, 1, 3, tzinfo=UTC)


def test_a_file_written_without_a_clock_says_so(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(grey_jpeg())
    assert picture_time(path, CHINA, 5 * 10**9)[1].source == "none"


def test_no_damage_to_exif_data_stops_the_station(tmp_path: Path) -> None:
    whole = with_tags({0x9003: "2024:05:01 20:00:00", 0x9011: "+06:00"})
    chance = np.random.default_rng(7)
    path = tmp_path / "damaged.jpg"
    for _ in range(300):
        data = bytearray(whole)
        for at in chance.integers(2, 130, 4):
            data[at] = chance.integers(256)
        path.write_bytes(data[: chance.integers(4, len(data))])
        taken, _ = picture_time(path, CHINA, 10**18)
        assert taken.tzinfo is not None


def test_a_picture_from_before_the_deployment_has_no_known_time(folder: Folder) -> None:
    (folder.path / "IMG_0001.jpg").write_bytes(with_tags({0x9003: "2024:05:01 20:00:00"}))
    for deployed, source in ((None, "exif"), (datetime(2024, 5, 10, tzinfo=UTC), "none")):
        files = FolderSource(folder.path, folder.outbox.mark_of, CHINA, None, 60, deployed)
        (clip,) = (clip for clip in files.captures(threading.Event(), once=True) if isinstance(clip, Clip))
        assert clip.clock.source == source


def test_a_real_pictures_time_is_read(shared_data: Path) -> None:
    path = shared_data / "samples" / "pictures" / "2021-05-28_SYFR0041_deer.JPG"
    taken, clock = picture_time(path, CHINA, 0)
    assert (taken.date().isoformat(), clock.source) == ("2021-05-29", "exif")
    with pytest.raises(Unreadable):
        recording_time(shared_data / "samples" / "pictures" / "error_img.JPG", CHINA, 0)


def test_a_mark_counts_only_for_the_file_it_was_made_for(folder: Folder) -> None:
    folder.outbox.commit([], FileMark("a", 1, 2, 3, finished=False))
    assert folder.outbox.mark_of("a", 1, 2) == FileMark("a", 1, 2, 3, finished=False)
    assert folder.outbox.mark_of("a", 9, 2) is None
