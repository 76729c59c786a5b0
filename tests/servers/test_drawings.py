"""Drawing costs the server neither its memory nor its life: it happens in processes with limits, and once."""

import hashlib
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from captures.decoded import Sound
from captures.sent_media import MAX_SOUND_FRAMES
from captures.sound import encode_clip
from contract import Span
from ingest.drawing.drawings import CannotDraw, DrawingBusy, Drawings
from ingest.drawing.processes import DrawingLimits, DrawingProcesses
from tests.bombs import flac_that_says, png_of, silence
from tests.eventually import eventually
from tests.repository import REPOSITORY

LARGEST = 500_000_000  # bytes that a drawing process may really take; the server's share does not depend on the content
SOUND = encode_clip(Sound(np.sin(np.arange(48_000) / 10).astype(np.float32), 48_000))[0]


class Asked:
    """Content that counts how often it is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.data


def processes_of_drawings() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "ingest.drawing.worker" in words_of(one)]


def words_of(process: psutil.Process) -> str:
    """The command line of a process; "" if it has just ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Drawings]]:
    made: list[Drawings] = []

    def drawings(*, processes: int = 2, waiting: int = 24, **limits: float) -> Drawings:
        pool = DrawingProcesses(processes, DrawingLimits(**limits))  # type: ignore[arg-type]
        made.append(Drawings(tmp_path / "drawn", pool, waiting))
        return made[-1]

    yield drawings
    for one in made:
        one.close()
    assert processes_of_drawings() == []


def test_a_clip_is_drawn_once_for_all_who_ask_at_the_same_time_and_after_a_restart(
    make: Callable[..., Drawings],
) -> None:
    content, drawings = Asked(SOUND), make()
    with ThreadPoolExecutor(12) as threads:
        drawn = list(threads.map(lambda _: drawings.spectrogram(content.sha256, content, ()), range(24)))
    assert {one[:4] for one in drawn} == {b"\x89PNG"} and len(set(drawn)) == 1
    assert content.times == 1
    assert make().spectrogram(content.sha256, content, ()) == drawn[0]
    assert content.times == 1
    marked = make().spectrogram(content.sha256, content, (Span(start_s=0.2, end_s=0.6),))
    assert marked != drawn[0] and content.times == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (silence(2_000_000, channels=8), "8 channels"),
        (flac_that_says(500_000_000, silence(100_000)), "500000000 samples"),
        (b"OggS" + bytes(1000), "expected a JPEG, PNG, MP3, FLAC, WAV or MP4 file"),
    ],
)
def test_a_recording_beyond_the_limits_is_refused_without_a_process(
    make: Callable[..., Drawings], data: bytes, reason: str
) -> None:
    content = Asked(data)
    with pytest.raises(CannotDraw, match=reason):
        make().spectrogram(content.sha256, content, ())
    assert processes_of_drawings() == []


def test_the_largest_that_is_allowed_is_drawn_in_bounded_memory(make: Callable[..., Drawings]) -> None:
    drawings = make(processes=1)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clip, picture = Asked(silence(MAX_SOUND_FRAMES, channels=2)), Asked(png_of(4_096, 4_096, channels=4))
    assert drawings.spectrogram(clip.sha256, clip, ()).startswith(b"\x89PNG")
    assert drawings.blurred(picture.sha256, picture, (None,)).startswith(b"\xff\xd8\xff")
    status = Path(f"/proc/{processes_of_drawings()[0].pid}/status").read_text()
    drawings.close()
    assert int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024 < LARGEST  # type: ignore[index]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - own < 50_000, "kB that the server took for it"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"cpu_s": 0}, "more than 0 s of processor time"),
        ({"memory_bytes": 400_000_000}, "more memory than allowed"),
        ({"patience_s": 0.2}, "more than 0.2 s"),
    ],
)
def test_a_clip_that_takes_too_much_ends_its_process_and_is_not_tried_again(
    make: Callable[..., Drawings], limits: dict[str, float], reason: str
) -> None:
    content, honest = Asked(silence(MAX_SOUND_FRAMES)), Asked(SOUND)
    drawings = make(processes=1, **limits)
    with pytest.raises(CannotDraw, match=reason):
        drawings.spectrogram(content.sha256, content, ())
    # Neither with another detection in it, nor after a restart, nor with wider limits.
    for other in (drawings, make()):
        with pytest.raises(CannotDraw, match=reason):
            other.spectrogram(content.sha256, content, (Span(start_s=1, end_s=2),))
    assert content.times == 1
    assert make().spectrogram(honest.sha256, honest, ()).startswith(b"\x89PNG")


def test_a_process_that_dies_is_replaced(make: Callable[..., Drawings]) -> None:
    drawings = make(processes=1)
    for number in range(3):
        content = Asked(SOUND + bytes(number))  # a decoder of MP3 skips what is no frame
        assert drawings.spectrogram(content.sha256, content, ()).startswith(b"\x89PNG")
        (process,) = processes_of_drawings()
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def test_an_idle_process_ends(make: Callable[..., Drawings]) -> None:
    content, drawings = Asked(SOUND), make(idle_s=0.2)
    drawings.spectrogram(content.sha256, content, ())
    eventually(lambda: processes_of_drawings() == [], "the idle process ends")
    again = Asked(SOUND + b"\0")
    assert drawings.spectrogram(again.sha256, again, ()).startswith(b"\x89PNG")


def test_more_callers_than_may_wait_are_told_to_come_later(make: Callable[..., Drawings]) -> None:
    drawings, held, go_on = make(processes=1, waiting=3), threading.Semaphore(0), threading.Event()

    def slow(data: bytes) -> Callable[[], bytes]:
        def read() -> bytes:
            held.release()
            assert go_on.wait(60)
            return data

        return read

    contents = [SOUND + bytes(number) for number in range(3)]
    with ThreadPoolExecutor(3) as threads:
        drawn = [
            threads.submit(drawings.spectrogram, hashlib.sha256(one).hexdigest(), slow(one), ()) for one in contents
        ]
        for _ in contents:
            assert held.acquire(timeout=60)
        with pytest.raises(DrawingBusy) as busy:
            drawings.spectrogram("0" * 64, lambda: SOUND, ())
        assert busy.value.retry_after_s > 0
        go_on.set()
        assert all(one.result().startswith(b"\x89PNG") for one in drawn)


def test_a_drawing_process_knows_no_secret_and_starts_no_program(
    make: Callable[..., Drawings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "a-secret-of-the-server")
    content, drawings = Asked(SOUND), make()
    drawings.spectrogram(content.sha256, content, ())
    (process,) = processes_of_drawings()
    assert "a-secret-of-the-server" not in str(process.environ())
    assert process.rlimit(psutil.RLIMIT_NPROC) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_AS)[0] == 1 << 30
    opened = [one.readlink() for one in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert all(str(one).startswith(("pipe:", "/dev/null")) for one in opened), opened


def test_a_process_that_cannot_start_is_no_fault_of_the_clip(
    make: Callable[..., Drawings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = Asked(SOUND)
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    with pytest.raises(DrawingBusy, match="can be started"):
        make().spectrogram(content.sha256, content, ())
    (tmp_path / "ends").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "ends").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "ends"))
    with pytest.raises(DrawingBusy, match="exit status 3"):
        make().spectrogram(content.sha256, content, ())
    monkeypatch.undo()
    assert make().spectrogram(content.sha256, content, ()).startswith(b"\x89PNG")


SERVER = """
import sys, time
from pathlib import Path
import psutil
from ingest.drawing.drawings import Drawings
data = Path(sys.argv[1]).read_bytes()
Drawings(None).spectrogram(sys.argv[2], lambda: data, ())
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(600)
"""


def test_a_drawing_process_ends_with_its_server_even_a_killed_one(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(SOUND)
    command = [sys.executable, "-c", SERVER, str(tmp_path / "clip"), hashlib.sha256(SOUND).hexdigest()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        assert psutil.pid_exists(worker)
        server.kill()
    eventually(lambda: not psutil.pid_exists(worker), "the drawing process ends")
