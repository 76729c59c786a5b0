"""Reads one picture or recording in a separate process, to find out whether a decoder crashes on it.

`python -P -m captures.trial PATH MEMORY_BYTES CPU_S`, started by ``survives``. The exit status is 0 if the file was
read or refused with a reason.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from captures.decoded import Unreadable
from captures.file_kind import kind_of_path
from contract.limited_process import limit_next_work, limit_process, start_limited_process

MEMORY_BYTES = 2 << 30
CPU_S = 60
PATIENCE_S = 120.0
_STRETCHES = 3  # of a recording: its header and the beginning of its samples are what a decoder may fail at


def survives(path: Path, stopped: Callable[[], bool] = lambda: False, memory_bytes: int = MEMORY_BYTES) -> bool:
    """Return whether a process that reads a file ends as it should; True also if ``stopped`` ends the trial.

    Raises:
        OSError: the process cannot be started.
    """
    process = start_limited_process("captures.trial", [str(path), str(memory_bytes), str(CPU_S)])
    deadline = time.monotonic() + PATIENCE_S
    with process:
        while process.poll() is None:
            if stopped() or time.monotonic() > deadline:
                process.kill()
                return stopped()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
    return process.returncode == 0


def main() -> None:
    """Read the file that the command line names."""
    import cv2

    from captures.picture import THUMBNAIL_PX, read_picture
    from captures.sound import read_stretches

    path, memory_bytes, cpu_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    cv2.setNumThreads(1)  # the process may start none
    limit_process(memory_bytes)
    limit_next_work(cpu_s)
    with contextlib.suppress(Unreadable, OSError):
        kind = kind_of_path(path)
        if kind is not None and kind.family == "picture":
            read_picture(path, THUMBNAIL_PX)
        elif kind is not None and kind.family == "recording":
            for _, _ in zip(range(_STRETCHES), read_stretches(path), strict=False):
                pass


if __name__ == "__main__":
    main()
