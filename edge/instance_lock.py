"""Lock on a station's folder, so that only one process runs the station."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from contract.errors import WildpostError


class StationRunning(WildpostError, OSError):
    """Another process runs this station; the message gives its process id."""


@contextlib.contextmanager
def instance_lock(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a station's folder; the system releases it even if the process is killed.

    Raises:
        StationRunning: another process holds the lock.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "running"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise StationRunning(
                f"{folder}: process {file.read().strip() or 'unknown'} runs this station already; "
                "stop that process, or set WILDPOST_DATA to another folder"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_holder(folder: Path) -> int | None:
    """Return the id of the process that holds the lock, 0 if it is unknown; None: no process holds it."""
    import fcntl

    path = folder / "running"
    if not path.is_file():
        return None
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            process = file.read().strip()
            return int(process) if process.isdigit() else 0
    return None
