"""Lock on a data folder, so that only one `wildpost serve`, and only one `wildpost ingest`, uses it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from contract.errors import WildpostError
from ingest.receive.folder_lock import FolderLock


class ServerRunning(WildpostError):
    """Another server uses the data folder; the message says which."""


@contextlib.contextmanager
def server_lock(folder: Path, command: Literal["serve", "ingest"]) -> Iterator[None]:
    """Hold the lock of a command on a data folder; the system releases it even if the process is killed.

    Raises:
        ServerRunning: another process holds the lock.
    """
    lock = FolderLock(folder / f"server.{command}.lock")
    if not lock.acquire():
        raise ServerRunning(
            f"{folder}: another `wildpost {command}` runs with this data folder: stop that one, or give this one a "
            "folder of its own with WILDPOST_DATA=DIR or --data DIR"
        )
    try:
        yield
    finally:
        lock.release()
