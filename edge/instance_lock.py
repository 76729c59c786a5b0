"""Sees to it that one station's folder is worked on by one process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from contract.errors import WildpostError


class StationRunning(WildpostError, OSError):
    """Another process runs this station; the message names it."""


@contextlib.contextmanager
def instance_lock(folder: Path) -> Iterator[None]:
    """Hold a station's folder for as long as the block lasts; the system lets go of it even if the process is killed.

    Raises:
        StationRunning: another process holds it.
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
                "stop that one, or give this one a WILDPOST_DATA of its own"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_holder(folder: Path) -> int | None:
    """Name the process that holds a station's folder; None where none does."""
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
