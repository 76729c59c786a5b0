"""A file at which the station's process dies is tried in another process, and set aside if that dies too."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
import soundfile

from captures.folder_listing import ListedFile
from captures.trial import survives
from edge.capture.clip import Clip, Unusable
from edge.capture.folder import FolderSource
from edge.capture.reading_guard import GIVE_UP_AFTER, TRIAL_AFTER, ReadingGuard
from edge.outbox.outbox import Outbox
from tests.pictures import write_grey_jpeg
from tests.repository import REPOSITORY

FILE = ListedFile("/card/\udcd2.jpg", 10, 20)
OTHER = ListedFile("/card/b.jpg", 10, 20)


def died(note: Path, times: int, file: ListedFile = FILE) -> None:
    """Leave the note as a process leaves it that dies at a file."""
    for _ in range(times):
        ReadingGuard(note, lambda *_: True).begin(file, lambda: False)


def test_a_file_is_tried_in_another_process_after_some_deaths_in_a_row(tmp_path: Path) -> None:
    note, tried = tmp_path / "note", []

    def fails(path: Path, _: object) -> bool:
        tried.append(str(path))
        return False

    died(note, TRIAL_AFTER - 1)
    assert ReadingGuard(note, fails).begin(FILE, lambda: False) == ""
    assert tried == []
    assert "and so did a process that read it" in ReadingGuard(note, fails).begin(FILE, lambda: False)
    assert tried == [FILE.path]


def test_a_file_that_can_be_read_is_examined_although_the_station_was_killed_at_it(tmp_path: Path) -> None:
    died(tmp_path / "note", GIVE_UP_AFTER - 1)
    assert ReadingGuard(tmp_path / "note", lambda *_: True).begin(FILE, lambda: False) == ""
    assert "12 times in a row" in ReadingGuard(tmp_path / "note", lambda *_: True).begin(FILE, lambda: False)


def test_deaths_at_different_files_or_versions_do_not_add_up(tmp_path: Path) -> None:
    note = tmp_path / "note"
    for _ in range(GIVE_UP_AFTER):
        died(note, 2)
        died(note, 2, OTHER)
        died(note, 2, FILE._replace(size=11))
    assert ReadingGuard(note, lambda *_: False).begin(FILE, lambda: False) == ""


def test_a_file_that_was_examined_leaves_no_note(tmp_path: Path) -> None:
    guard = ReadingGuard(tmp_path / "note")
    guard.begin(FILE, lambda: False)
    guard.end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "[null, null, null, null]", '"x"'])
def test_a_damaged_note_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "note").write_text(text)
    assert ReadingGuard(tmp_path / "note", lambda *_: False).begin(FILE, lambda: False) == ""


def test_a_trial_tells_files_that_end_their_reader_from_others(tmp_path: Path) -> None:
    good = write_grey_jpeg(tmp_path / "good.jpg")
    soundfile.write(tmp_path / "good.wav", np.zeros(80_000, np.float32), 8_000)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert survives(good) and survives(tmp_path / "good.wav") and survives(tmp_path / "broken.jpg")
    assert survives(tmp_path / "vanished.jpg")
    assert not survives(good, memory_bytes=1 << 20), "it takes more memory than there is"
    assert survives(good, stopped=lambda: True)


DYING = """
import os, sys, threading
sys.path.insert(0, {repository!r})
from datetime import UTC
from pathlib import Path
from edge.capture.folder import FolderSource
from edge.outbox.outbox import Outbox
folder = Path({folder!r})
outbox = Outbox(folder / "outbox.sqlite")
source = FolderSource(folder / "card", outbox.mark_of, UTC, None, 60, note=folder / "note")
for capture in source.captures(threading.Event(), once=True):
    if capture is not None and capture.name == "a.jpg":
        os.kill(os.getpid(), {signal})
    if capture is not None:
        outbox.commit([], capture.mark)
"""


def test_a_station_that_dies_at_a_file_goes_on_with_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "card").mkdir()
    os.utime(write_grey_jpeg(tmp_path / "card" / "a.jpg"), (1e9, 1e9))  # the first in order of time
    write_grey_jpeg(tmp_path / "card" / "b.jpg")
    code = DYING.format(repository=str(REPOSITORY), folder=str(tmp_path), signal=int(signal.SIGSEGV))
    for _ in range(TRIAL_AFTER):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGSEGV
    outbox = Outbox(tmp_path / "outbox.sqlite")
    monkeypatch.setattr(ReadingGuard.__init__, "__defaults__", (lambda *_: False,))
    source = FolderSource(tmp_path / "card", outbox.mark_of, UTC, None, 60, note=tmp_path / "note")
    found = [one for one in source.captures(threading.Event(), once=True) if isinstance(one, (Clip, Unusable))]
    outbox.close()
    assert [(one.name, isinstance(one, Clip)) for one in found] == [("a.jpg", False), ("b.jpg", True)]
    assert not (tmp_path / "note").exists()


def test_a_stop_leaves_no_note(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    write_grey_jpeg(tmp_path / "card" / "a.jpg")
    source = FolderSource(tmp_path / "card", lambda *_: None, UTC, None, 60, note=tmp_path / "note")
    captures = source.captures(threading.Event(), once=True)
    assert isinstance(next(one for one in captures if one is not None), Clip)
    assert (tmp_path / "note").exists()
    captures.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "note").exists()
