"""What every source of captures does, run against each of them: real files, a real video, the machine's own sound."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import Clock
from edge.capture.camera import CameraOptions, CameraSource
from edge.capture.clip import Clip
from edge.capture.folder import FolderSource
from edge.capture.microphone import MicrophoneOptions, MicrophoneSource
from edge.capture.originals import Originals
from edge.capture.port import Source, SourceLost
from edge.outbox.outbox import Outbox

LOST: dict[str, Callable[[Path], Source]] = {
    "folder": lambda folder: FolderSource(folder / "unplugged", lambda *_: None, UTC, None, 60),
    "camera": lambda folder: CameraSource(
        CameraOptions(device=str(folder / "unplugged.avi")), Originals(folder / "kept", 10**6)
    ),
    "microphone": lambda _: MicrophoneSource(MicrophoneOptions(device="no microphone of this name"), None),
}


def walking(folder: Path) -> Path:
    """A video of an empty scene into which something walks."""
    path = folder / "walk.avi"
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, 10, (320, 240))
    assert writer.isOpened()
    for number in range(60):
        frame = np.full((240, 320, 3), 90, np.uint8)
        if number >= 30:
            cv2.rectangle(frame, (4 * number, 80), (4 * number + 60, 180), (20, 20, 20), -1)
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


@pytest.fixture(params=["folder", "camera"])
def source(request: pytest.FixtureRequest, tmp_path: Path, outbox: Outbox) -> Source:
    if request.param == "camera":
        options = CameraOptions(device=str(walking(tmp_path)), rest_s=0)
        return CameraSource(options, Originals(tmp_path / "kept", 10**8))
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "one.jpg"), np.full((120, 160, 3), 80, np.uint8))
    return FolderSource(tmp_path / "in", outbox.mark_of, UTC, None, 60)


@pytest.mark.parametrize("name", LOST)
def test_a_source_that_is_not_there_is_lost_with_its_cause_and_can_be_asked_again(name: str, tmp_path: Path) -> None:
    source = LOST[name](tmp_path)
    for _ in range(2):
        with pytest.raises(SourceLost) as lost:
            next(iter(source.captures(threading.Event(), once=True)))
        assert lost.value.gap == ("deaf" if name == "microphone" else "broken")
        assert str(lost.value)


def test_a_source_ends_when_told(source: Source) -> None:
    stop = threading.Event()
    stop.set()
    assert list(source.captures(stop, once=False)) == []


def test_a_capture_bears_its_time_and_the_hash_of_its_original(source: Source) -> None:
    clips = [one for one in source.captures(threading.Event(), once=True) if isinstance(one, Clip)]
    assert clips
    for clip in clips:
        assert clip.captured_at.tzinfo is not None
        assert isinstance(clip.clock, Clock)
        assert clip.original is not None
        assert clip.original.role == "original"


def test_a_camera_keeps_what_moves_and_not_the_empty_scene_before(tmp_path: Path) -> None:
    originals = Originals(tmp_path / "kept", 10**8)
    source = CameraSource(CameraOptions(device=str(walking(tmp_path)), burst=3, rest_s=3600), originals)
    seen = list(source.captures(threading.Event(), once=True))
    assert len([one for one in seen if one is not None]) == 3, "one burst, for it rests afterwards"
    assert all(one is None for one in seen[:29]), "it watched an empty scene, and says so"
    assert len(list((tmp_path / "kept").glob("*.jpg"))) == 3


def test_a_camera_that_ends_while_it_should_watch_is_lost(tmp_path: Path) -> None:
    source = CameraSource(CameraOptions(device=str(walking(tmp_path))), Originals(tmp_path / "kept", 10**8))
    with pytest.raises(SourceLost, match="no more frames"):
        list(source.captures(threading.Event(), once=False))
