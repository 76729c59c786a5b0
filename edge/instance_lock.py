"""Lock on a station's folder, so that only one process runs the station."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from contract.errors import WildpostError
from contract.private_files import make_private_folder, private_opener


class StationRunning(WildpostError, OSError):
    """Raised when another process runs this station; the message gives the id of that process."""


@contextlib.contextmanager
def instance_lock(folder: Path, work: str = "runs this station already") -> Iterator[None]:
    """Hold an exclusive lock on a station's folder; the system releases the lock even if the process is killed.

    Args:
        folder: The folder.
        work: What the process does that holds the lock, for the message.

    Raises:
        StationRunning: another process holds the lock.
    """
    import fcntl

    make_private_folder(folder)
    path = folder / "running"
    with open(path, "a+", encoding="utf-8", opener=private_opener) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise StationRunning(
                f"{folder}: process {file.read().strip() or 'unknown'} {work}; "
                "stop that process, or set WILDPOST_DATA to another folder"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lock_holder(folder: Path) -> int | None:
    """Return the id of the process that locks a station's folder: 0 if unknown, None if there is no lock."""
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
