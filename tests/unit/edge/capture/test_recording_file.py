"""A growing recording stays one recording, and no part of its sound is processed twice."""

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from captures.decoded import Sound
from captures.folder_listing import ListedFile
from edge.capture.clip import AlreadyHeard, Clip, FileMark, Unusable
from edge.capture.folder import FolderSource
from edge.capture.quiet_files import COMPLETE_S, INCOMPLETE_ONCE_S, INCOMPLETE_S, QuietFiles
from edge.outbox.outbox import Outbox
from tests.recordings import FORMAT, au, caf, chunk, encoded, m4a, pcm, simple_wav, stereo_wav, wav

UNKNOWN = 0xFFFFFFFF
LONG_AGO = 1_700_000_000


class Card:
    """A folder with one recording, and the outbox of a station that reads it."""

    def __init__(self, folder: Path, outbox: Outbox) -> None:
        self.path = folder / "20260521_053000.wav"
        self.outbox = outbox
        self.written = LONG_AGO

    def write(self, data: bytes) -> None:
        """Write the recording, with a later time than before that is long ago."""
        self.path.write_bytes(data)
        self.touch()

    def touch(self) -> None:
        self.written += 100
        os.utime(self.path, (self.written, self.written))

    def read(self, stretch_s: float = 60.0) -> list[Clip | AlreadyHeard | Unusable]:
        """Read what is new, and store the progress as a station does."""
        source = FolderSource(
            self.path.parent,
            self.outbox.mark_of,
            UTC,
            None,
            stretch_s,
            last_mark=self.outbox.last_mark,
            marks_alike=self.outbox.marks_alike,
        )
        found = [one for one in source.captures(threading.Event(), once=True) if one is not None]
        for one in found:
            self.outbox.commit([], one.mark)
        return found

    def seconds(self, stretch_s: float = 60.0) -> list[float]:
        """Return start and length of what is new, in seconds, rounded."""
        numbers: list[float] = []
        for one in self.read(stretch_s):
            if isinstance(one, Clip):
                assert isinstance(one.content, Sound)
                start = one.captured_at - datetime(2026, 5, 21, 5, 30, tzinfo=UTC)
                numbers += [round(start.total_seconds(), 1), round(one.content.duration_s, 1)]
        return numbers


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    (tmp_path / "in").mkdir()
    outbox = Outbox(tmp_path / "outbox.sqlite")
    yield Card(tmp_path / "in", outbox)
    outbox.close()


def part_of_flac(share: float) -> bytes:
    data = encoded("FLAC", seconds=12.0)
    return data[: round(share * len(data))]


GROWING = {
    "WAV of unknown size": [simple_wav(pcm(seconds), UNKNOWN, UNKNOWN) for seconds in (3, 6, 12)],
    "WAV whose sizes are written at each burst": [simple_wav(pcm(seconds)) for seconds in (3, 6, 12)],
    "WAV whose last frame is half there": [simple_wav(b"", 0, 0) + pcm(seconds)[:-1] for seconds in (3, 6, 12)],
    "AU": [au(pcm(seconds, ">"), UNKNOWN) for seconds in (3, 6, 12)],
    "CAF": [caf(pcm(seconds, ">"), -1) for seconds in (3, 6, 12)],
    "FLAC": [part_of_flac(0.25), part_of_flac(0.5), part_of_flac(1)],
    "Ogg": [encoded("OGG", "VORBIS", 12.0)[:end] for end in (27_000, 55_000, None)],
    "MP3": [encoded("MP3", None, 12.0)[:end] for end in (24_000, 50_000, None)],
}


@pytest.mark.parametrize("name", GROWING)
def test_of_a_recording_that_grew_after_it_was_read_only_what_is_new_is_heard(name: str, card: Card) -> None:
    numbers: list[float] = []
    for data in GROWING[name]:
        card.write(data)
        heard = card.seconds()
        assert len(heard) == 2, "one capture for each look"
        numbers += heard
    starts, lengths = numbers[::2], numbers[1::2]
    assert sum(lengths) == pytest.approx(12, abs=0.2)
    assert starts == pytest.approx([0, lengths[0], lengths[0] + lengths[1]], abs=0.11)
    card.touch()
    assert card.seconds() == []


REWRITTEN = {
    "header finished": (simple_wav(pcm(), 0, 0), simple_wav(pcm())),
    "comment before the sound": (
        simple_wav(pcm()),
        wav(chunk(b"LIST", b"INFOICMT\x04\0\0\0abcd"), chunk(b"fmt ", FORMAT), chunk(b"data", pcm())),
    ),
    "comment behind the sound": (
        simple_wav(pcm()),
        wav(chunk(b"fmt ", FORMAT), chunk(b"data", pcm()), chunk(b"guan", b"GUANO|Version: 1.0")),
    ),
    "tag before MP3": (encoded("MP3"), b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + encoded("MP3")),
    "tag behind MP3": (encoded("MP3"), encoded("MP3") + b"TAG" + bytes(125)),
    "touched": (encoded("FLAC"), encoded("FLAC")),
    "touched M4A": (m4a(), m4a()),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_program_that_rewrites_metadata_repeats_nothing(name: str, card: Card) -> None:
    before, after = REWRITTEN[name]
    card.write(before)
    assert len(card.seconds()) == 2
    card.write(after)
    assert [type(one) for one in card.read()] == [AlreadyHeard]
    assert card.read() == [], "its new size and time are known now"


def test_a_renamed_or_moved_recording_repeats_nothing_and_a_copy_is_another(card: Card) -> None:
    card.write(simple_wav(pcm()))
    assert len(card.seconds()) == 2
    (card.path.parent / "2026-05").mkdir()
    moved = card.path.rename(card.path.parent / "2026-05" / "ridge_20260521_053000.wav")
    assert [type(one) for one in card.read()] == [AlreadyHeard]
    assert card.read() == []
    shutil.copy2(moved, card.path.with_name("20260521_053000 copy.wav"))
    assert card.seconds() == [0, 3]


def test_another_recording_of_the_same_size_and_time_as_one_that_is_gone_is_heard(card: Card) -> None:
    card.write(simple_wav(pcm()))
    card.read()
    card.path.unlink()
    card.path = card.path.with_name("20260521_060000.wav")
    card.written -= 100
    card.write(simple_wav(pcm()[::-1]))
    assert [type(one) for one in card.read()] == [Clip]


def test_another_recording_under_the_same_name_is_heard_from_its_beginning(card: Card) -> None:
    card.write(simple_wav(pcm(3)))
    card.read()
    card.write(simple_wav(pcm(6)[::-1]))
    assert card.seconds() == [0, 6]


def test_a_shorter_recording_under_the_same_name_is_another(card: Card) -> None:
    card.write(simple_wav(pcm(6)))
    card.read()
    card.write(simple_wav(pcm(3)))
    assert card.seconds() == [0, 3]


def test_a_recording_that_grows_while_it_is_worked_off_goes_on_where_it_was(card: Card) -> None:
    card.write(simple_wav(pcm(10)))
    source = FolderSource(card.path.parent, card.outbox.mark_of, UTC, None, 4.0, last_mark=card.outbox.last_mark)
    clips = (one for one in source.captures(threading.Event(), once=True) if isinstance(one, Clip))
    card.outbox.commit([], next(clips).mark)
    clips.close()
    card.write(simple_wav(pcm(20)))
    assert card.seconds(stretch_s=4.0) == [4, 4, 8, 4, 12, 4, 16, 4]


def test_a_mark_of_an_earlier_version_goes_on_at_its_stretch(card: Card) -> None:
    card.write(simple_wav(pcm(10)))
    status = card.path.stat()
    card.outbox.commit([], FileMark(str(card.path), status.st_size, status.st_mtime_ns, 2, finished=False))
    assert card.seconds(stretch_s=3.0) == [6, 3, 9, 1]


def test_what_is_wrong_with_a_recording_comes_with_its_last_stretch(card: Card) -> None:
    card.write(simple_wav(pcm(5), 0, 0))
    remarks = [one.remarks for one in card.read(stretch_s=2.0) if isinstance(one, Clip)]
    assert [len(some) for some in remarks] == [0, 0, 1]
    assert "its header was never finished; all 5.0 s" in remarks[2][0]


def test_a_fault_of_a_channel_is_reported_once_a_day(card: Card) -> None:
    card.write(stereo_wav(6, -1))
    remarks = [one.remarks for one in card.read(stretch_s=2.0) if isinstance(one, Clip)]
    assert [len(some) for some in remarks] == [1, 0, 0]
    assert "channel 2 is inverted" in remarks[0][0]


def test_a_recording_written_in_bursts_into_a_watched_folder_is_one_capture(card: Card) -> None:
    """Each next() is one look; a burst comes between two of them, and at the end the recorder writes the sizes."""
    folder = card.path.parent
    source = FolderSource(folder, card.outbox.mark_of, UTC, None, 60, last_mark=card.outbox.last_mark)
    looks = source.captures(threading.Event(), once=False)
    for seconds in (3, 6, 9, 12):
        card.path.write_bytes(simple_wav(pcm(seconds), UNKNOWN, UNKNOWN))
        assert [next(looks), next(looks)] == [None, None], "it may still grow"
    card.write(simple_wav(pcm(12)))
    found = [one for one in (next(looks) for _ in range(3)) if one is not None]
    assert [one.content.duration_s for one in found if isinstance(one, Clip) and isinstance(one.content, Sound)] == [12]
    looks.close()  # type: ignore[attr-defined]


class Clocks:
    """A clock that a test sets; the wall clock goes with it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return LONG_AGO + self.now

    def after(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("data", "once", "wait_s"),
    [
        (simple_wav(pcm()), False, COMPLETE_S),
        (simple_wav(pcm()), True, 0.0),
        (simple_wav(pcm(), 0, 0), False, INCOMPLETE_S),
        (simple_wav(pcm(), UNKNOWN, UNKNOWN), True, INCOMPLETE_ONCE_S),
        (simple_wav(pcm(), 10**6, 10**6), False, INCOMPLETE_S),
        (b"", False, INCOMPLETE_S),
        (au(pcm(order=">"), UNKNOWN), False, INCOMPLETE_S),
        (encoded("FLAC"), False, COMPLETE_S),
        (encoded("OGG", "VORBIS"), False, COMPLETE_S),
        (encoded("OGG", "VORBIS")[:-100], False, INCOMPLETE_S),
        (encoded("MP3"), False, INCOMPLETE_S),
        (m4a(), False, COMPLETE_S),
        (m4a()[:-9_000], False, INCOMPLETE_S),
    ],
)
@pytest.mark.parametrize("ahead_s", [0.0, 1e6], ids=["", "file's time in the future"])
def test_a_recording_is_read_when_it_has_not_changed_for_a_while(
    data: bytes, once: bool, wait_s: float, ahead_s: float, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    clocks = Clocks()
    quiet = QuietFiles(clocks, clocks.wall)
    modified_ns = round((LONG_AGO + ahead_s) * 1e9)

    def is_quiet() -> bool:
        return quiet.is_quiet(ListedFile(str(path), len(data), modified_ns), once)

    assert is_quiet() == (wait_s == 0)
    if wait_s:
        clocks.after(wait_s - 1)
        assert not is_quiet()
        clocks.after(2)
        assert is_quiet()


def test_a_burst_begins_the_wait_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(simple_wav(pcm(), 0, 0))
    clocks = Clocks()
    quiet = QuietFiles(clocks, clocks.wall)
    for number in range(20):
        assert not quiet.is_quiet(ListedFile(str(path), 100 + number, round(clocks.wall() * 1e9)), once=False)
        clocks.after(INCOMPLETE_S - 1)


def test_old_files_are_not_opened_to_see_whether_they_are_complete(tmp_path: Path) -> None:
    quiet = QuietFiles(lambda: 0.0, lambda: LONG_AGO + 1_000.0)
    assert quiet.is_quiet(ListedFile(str(tmp_path / "is not there.wav"), 100, LONG_AGO * 10**9), once=False)
