"""A file, entry or permission that fails does not stop a watched folder: it is reported once and tried again."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captures import original_file
from captures.capture_time import picture_time
from captures.decoded import Unreadable
from captures.file_kind import kind_of_path
from captures.folder_listing import ListedFile
from captures.picture import read_picture
from edge.capture import folder as folder_source
from edge.capture import quiet_files, unread_files
from edge.capture.clip import Clip, Unusable
from edge.capture.folder import FolderSource
from edge.capture.port import SourceLost
from edge.outbox.outbox import Outbox
from tests.pictures import grey_jpeg, write_grey_jpeg
from tests.repository import REPOSITORY

PICTURE = grey_jpeg()
HEIC = b"ftypheic\0\0\0\0mif1heic"


def box(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return (len(body) + 8 if size is None else size).to_bytes(4, "big") + kind + body


class Card:
    """A folder, its outbox, and a source of which each run is a start of the station."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "card"
        self.path.mkdir()
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.source = FolderSource(self.path, self.outbox.mark_of, UTC, None, 60)

    def restart(self) -> None:
        self.source = FolderSource(self.path, self.outbox.mark_of, UTC, None, 60)

    def picture(self, name: str, grey: int = 80) -> Path:
        return write_grey_jpeg(self.path / name, grey)

    def run(self) -> tuple[list[str], dict[str, str]]:
        """Work off what is there; return the names of the captures, and the reasons of unusable files by name."""
        taken, unusable = [], {}
        for capture in self.source.captures(threading.Event(), once=True):
            if capture is None:
                continue
            self.outbox.commit([], capture.mark)
            if isinstance(capture, Clip):
                taken.append(capture.name)
            elif isinstance(capture, Unusable):
                unusable[capture.name] = capture.reason
        return taken, unusable


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    monkeypatch.setattr(folder_source, "POLL_INTERVAL_S", 0.01)
    one = Card(tmp_path)
    yield one
    one.outbox.close()


# What stood under the name of a picture on cards: each is set aside with its reason.
HOSTILE: dict[str, bytes] = {
    "open_box.jpg": box(b"ftyp", HEIC[4:]) + box(b"meta", bytes(4), 0),
    "cut_off.jpg": box(b"ftyp", HEIC[4:]),
    "box_on_itself.jpg": box(b"ftyp", HEIC[4:]) + box(b"meta", bytes(4) + box(b"iloc", bytes(8), 8)) * 3,
    "deep.jpg": box(b"ftyp", HEIC[4:]) + b"\0\0\xff\xffmeta" * 5000,
    "film.jpg": box(b"ftyp", b"isom\0\0\0\0mp41") + box(b"moov", bytes(50)),
    "recording.jpg": b"RIFF\x24\0\0\0WAVEfmt ",
    "page.jpg": b"<!doctype html><title>404</title>",
    "zeros.jpg": bytes(5000),
    "ones.jpg": b"\xff" * 5000,
    "empty.jpg": b"",
    "one_byte.jpg": b"\xff",
    "picture.wav": PICTURE[:20],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_not_what_its_name_says_is_set_aside_and_the_next_is_taken(name: str, card: Card) -> None:
    (card.path / name).write_bytes(HOSTILE[name])
    card.picture("z good.jpg")
    taken, unusable = card.run()
    assert "z good.jpg" in taken
    if name not in unusable:  # it starts like a picture; the detector's reader sets it aside
        with pytest.raises(Unreadable):
            read_picture(card.path / name, 640)
    assert card.run() == ([], {})


def test_a_recording_is_taken_by_its_first_bytes_whatever_its_name_says(card: Card, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "x.wav", np.zeros(8000, np.float32), 8000)
    (tmp_path / "x.wav").rename(card.path / "IMG_0001.JPG")
    (card.path / "night.wav").write_bytes(PICTURE)
    clips = [one for one in card.source.captures(threading.Event(), once=True) if isinstance(one, Clip)]
    kinds = {one.name: one.original.type for one in clips if one.original is not None}
    assert kinds == {"IMG_0001.JPG": "audio/wav", "night.wav": "image/jpeg"}


def test_an_exception_that_nobody_expects_sets_the_file_aside(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    card.picture("a.jpg")
    card.picture("b.jpg")

    def failing(path: Path, *rest: Any, **named: Any) -> object:
        if path.name == "a.jpg":
            raise RecursionError("a defect at this file")
        return picture_time(path, *rest, **named)

    monkeypatch.setattr(folder_source, "picture_time", failing)
    taken, unusable = card.run()
    assert taken == ["b.jpg"]
    assert "RecursionError: a defect at this file" in unusable["a.jpg"]


def test_bad_entries_are_named_once_also_after_a_restart_and_the_others_are_taken(card: Card) -> None:
    (card.path / "DCIM").mkdir()
    (card.path / "DCIM" / "1.jpg").symlink_to("1.jpg")
    (card.path / "2.jpg").symlink_to("/etc/hostname")
    card.picture("DCIM/3.jpg")
    taken, unusable = card.run()
    assert taken == ["3.jpg"]
    assert unusable.keys() == {"1.jpg", "2.jpg"}
    assert "DCIM/1.jpg" in unusable["1.jpg"] and "symbolic links" in unusable["1.jpg"]
    assert "outside" in unusable["2.jpg"]
    assert card.run() == ([], {})
    card.restart()
    assert card.run() == ([], {})
    (card.path / "DCIM" / "1.jpg").unlink()
    card.picture("DCIM/1.jpg")
    assert card.run() == (["1.jpg"], {})


class Refusing:
    """Files that the system does not hand out: the errors of bad sectors, and of rights as root, cannot be ordered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: dict[str, int] = {}
        self.now = 0.0

        def opening(path: Path) -> object:
            if path.name in self.errors:
                number = self.errors[path.name]
                raise OSError(number, os.strerror(number), str(path))
            return kind_of_path(path)

        monkeypatch.setattr(original_file, "kind_of_path", opening)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, card: Card) -> Refusing:
    one = Refusing(monkeypatch)
    card.restart()
    card.source._unread = unread_files.UnreadFiles(lambda: one.now)
    return one


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EUCLEAN, errno.ESTALE])
def test_a_file_that_cannot_be_read_is_named_once_and_taken_when_it_can_be(
    number: int, card: Card, system: Refusing
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        card.picture(name)
    system.errors["b.jpg"] = number
    taken, unusable = card.run()
    assert taken == ["a.jpg", "c.jpg"]
    assert os.strerror(number) in unusable["b.jpg"]
    for _ in range(5):
        system.now += unread_files.RETRY_MAX_S
        assert card.run() == ([], {}), "named once"
    system.errors.clear()
    system.now += unread_files.RETRY_MAX_S
    assert card.run() == (["b.jpg"], {})
    assert card.run() == ([], {})


def test_a_file_that_fails_again_after_it_was_read_is_named_again(card: Card, system: Refusing) -> None:
    path = card.picture("a.jpg")
    system.errors["a.jpg"] = errno.EACCES
    assert card.run()[1].keys() == {"a.jpg"}
    system.errors.clear()
    path.chmod(0o640)
    assert card.run() == (["a.jpg"], {})
    card.picture("a.jpg", grey=200)
    system.errors["a.jpg"] = errno.EACCES
    assert card.run()[1].keys() == {"a.jpg"}


def test_a_file_whose_rights_were_mended_is_taken_at_the_next_start(card: Card, system: Refusing) -> None:
    card.picture("a.jpg")
    system.errors["a.jpg"] = errno.EACCES
    assert card.run()[1].keys() == {"a.jpg"}
    card.restart()
    assert card.run() == ([], {}), "an earlier run has named it"
    system.errors.clear()
    card.restart()
    assert card.run() == (["a.jpg"], {})


def test_a_change_of_rights_ends_the_pause_at_once(card: Card, system: Refusing) -> None:
    path = card.picture("a.jpg")
    system.errors["a.jpg"] = errno.EACCES
    card.run()
    system.errors.clear()
    assert card.run() == ([], {}), "its next attempt is not due"
    path.chmod(0o640)
    assert card.run() == (["a.jpg"], {})


def test_the_pauses_grow_so_that_an_unreadable_file_is_not_read_every_second(card: Card, system: Refusing) -> None:
    card.picture("a.jpg")
    system.errors["a.jpg"] = errno.EACCES
    attempts = 0
    failed = card.source._unread.failed

    def counting(file: ListedFile) -> None:
        nonlocal attempts
        attempts += 1
        failed(file)

    card.source._unread.failed = counting  # type: ignore[method-assign]
    for _ in range(86_400 // 60):
        system.now += 60
        list(card.source._read_all(list(card.source._poll()), threading.Event()))
    assert 5 <= attempts <= 40


def test_a_card_of_which_nothing_can_be_read_is_lost_and_its_files_are_not_reported(
    card: Card, system: Refusing
) -> None:
    names = [f"{number:03}.jpg" for number in range(folder_source.MAX_REPORTS + 1)]
    for name in names:
        card.picture(name)
    system.errors = dict.fromkeys(names, errno.EIO)
    for _ in range(6):
        with pytest.raises(SourceLost, match=r"000.jpg and 100 more: Input/output error"):
            card.run()
    system.errors = dict.fromkeys(names[:50], errno.EIO)
    taken, unusable = card.run()
    assert (sorted(taken), sorted(unusable)) == (names[50:], names[:50])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become a user whom rights bind")
def test_real_rights_of_files_and_folders_cost_only_themselves_and_their_mending_is_noticed(card: Card) -> None:
    locked = card.picture("locked.jpg")
    card.picture("deep/inside.jpg")
    card.picture("good.jpg")
    locked.chmod(0)
    (card.path / "deep").chmod(0)
    card.outbox.close()
    card.path.chmod(0o755)
    code = f"""
import os, sys, threading
sys.path.insert(0, {str(REPOSITORY)!r})
os.chdir({str(card.path)!r})  # the folders above it are private
from datetime import UTC
from pathlib import Path
from edge.capture.folder import FolderSource
from edge.capture.clip import Clip
marks = {{}}
card = Path(".")
def run():
    source = FolderSource(card, lambda *key: marks.get(key), UTC, None, 60)
    found = [one for one in source.captures(threading.Event(), once=True) if one is not None]
    marks.update({{(one.mark.path, one.mark.size, one.mark.modified_ns): one.mark for one in found}})
    print(*sorted(f"{{type(one).__name__}}:{{one.name}}" for one in found), flush=True)
import captures.picture, captures.sound, cv2, soundfile
os.setegid(65534), os.seteuid(65534)
run()
os.seteuid(0); os.chmod(card / "locked.jpg", 0o644), os.chmod(card / "deep", 0o755); os.seteuid(65534)
run()
run()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "Clip:good.jpg Unusable:deep Unusable:locked.jpg",
        "Clip:inside.jpg Clip:locked.jpg",
        "",
    ]


def test_a_named_pipe_is_not_waited_for(card: Card) -> None:
    os.mkfifo(card.path / "a.jpg")
    card.picture("b.jpg")
    assert card.run() == (["b.jpg"], {})
    assert card.source.passed_over == {"special files": 1}


def test_what_is_passed_over_is_logged_at_the_start_and_when_it_doubles(
    card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (card.path / "1.wmv").write_bytes(b"x")
    card.run()
    card.run()
    assert caplog.text.count("not taken as captures: 1 .wmv") == 1
    for number in range(2, 5):
        (card.path / f"{number}.wmv").write_bytes(b"x")
    card.run()
    assert "4 .wmv" in caplog.text
    (card.path / "5.wmv").write_bytes(b"x")
    card.run()
    assert "5 .wmv" not in caplog.text
    (card.path / "lost+found").mkdir()
    card.run()
    assert "5 .wmv, 1 lost+found/" in caplog.text


def test_a_picture_whose_end_is_still_missing_is_waited_for(card: Card) -> None:
    path = card.path / "upload.jpg"
    path.write_bytes(PICTURE[:-100])
    captures = card.source.captures(threading.Event(), once=False)
    for _ in range(5):
        assert next(captures) is None
    path.write_bytes(PICTURE)
    found = next(one for one in captures if one is not None)
    assert isinstance(found, Clip) and found.original is not None
    assert found.original.size == len(PICTURE)


def test_a_picture_whose_end_never_comes_is_taken_after_a_while(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_files, "INCOMPLETE_PICTURE_S", 0.05)
    (card.path / "upload.jpg").write_bytes(PICTURE[:-100])
    captures = card.source.captures(threading.Event(), once=False)
    assert isinstance(next(one for one in captures if one is not None), Clip)


def test_a_stop_ends_the_reading_of_a_large_file(card: Card) -> None:
    path = card.picture("a.jpg")
    os.truncate(path, 1 << 40)  # a sparse file of 1 TB
    stop = threading.Event()
    captures = card.source.captures(stop, once=False)
    assert next(captures) is None
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    assert [one for one in captures if isinstance(one, (Clip, Unusable))] == []
    timer.join()
