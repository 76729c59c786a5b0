"""Copies of a server's databases as they are at one moment, made beside a running server."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from casebook.snapshot import SqliteCasebookSnapshot
from ingest.store.duckdb.snapshot import DuckDbSnapshot
from ingest.store.duckdb.store import DuckDbStore
from wildpost.backup.archive import CASEBOOK, DETECTIONS
from wildpost.backup.errors import CannotBackUp
from wildpost.backup.snapshot_server import STAGING, RemoteSnapshot

_MIN_FREE_BYTES = 64_000_000  # kept free beside the copies, for the running server


@dataclass(frozen=True, slots=True)
class DatabaseCopies:
    """Copies of both databases.

    Attributes:
        made_at: The moment that they show, UTC.
        detections: DuckDB file of the detections.
        casebook: SQLite file of the casebook.
        rows: Number of rows of each table, by the name of the database in the data folder.
    """

    made_at: datetime
    detections: Path
    casebook: Path
    rows: dict[str, dict[str, int]]


@contextmanager
def copied_databases(data: Path) -> Iterator[DatabaseCopies]:
    """Copy both databases of a data folder, which the caller has locked; the copies are deleted afterwards.

    Raises:
        StoreUnavailable: a database cannot be read.
    """
    with ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=STAGING, dir=data)))
        casebook = stack.enter_context(closing(SqliteCasebookSnapshot(data / CASEBOOK)))
        detections = stack.enter_context(closing(_detection_snapshot(data, staging)))
        detections.hold()
        casebook.hold()
        made_at = datetime.now(UTC)
        # Both snapshots are taken; ingest continues from here, while the server copies its snapshot first.
        copied, detection_rows = detections.write()
        casebook_rows = casebook.write(staging / CASEBOOK)
        rows = {CASEBOOK: casebook_rows, DETECTIONS: detection_rows}
        yield DatabaseCopies(made_at, copied, staging / CASEBOOK, rows)


@contextmanager
def backup_lock(folder: Path) -> Iterator[None]:
    """Lock a data folder against other backups and restores until the context ends.

    Temporary folders that a killed backup left behind are deleted.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotBackUp(f"{folder}: another backup or restore is running") from error
        for left in folder.glob(f"{STAGING}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(handle)


def check_free_space(folder: Path) -> None:
    """Check that the disk has enough space for temporary copies of the databases.

    A server with a full disk cannot store new messages.

    Raises:
        CannotBackUp: it does not, or the folder has no databases.
    """
    for name in (CASEBOOK, DETECTIONS):
        if not (folder / name).exists():
            raise CannotBackUp(f"{folder / name}: no such file; name the server's data folder with --data DIR")
    needed = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith((CASEBOOK, DETECTIONS)))
    free = shutil.disk_usage(folder).free
    if free < needed + _MIN_FREE_BYTES:
        raise CannotBackUp(
            f"{folder}: {free / 1e6:.0f} MB free; temporary copies of the databases need "
            f"{(needed + _MIN_FREE_BYTES) / 1e6:.0f} MB"
        )


class _LocalSnapshot:
    """Copy of the detection database, made by this process; used if no server has the database open."""

    def __init__(self, path: Path, copy: Path) -> None:
        self._copy = copy
        self._store = DuckDbStore(path, read_only=True)
        self._snapshot: DuckDbSnapshot | None = None

    def hold(self) -> None:
        self._snapshot = self._store.snapshot(self._copy)

    def write(self) -> tuple[Path, dict[str, int]]:
        assert self._snapshot is not None, "call hold first"  # noqa: S101
        rows = self._snapshot.write()
        self.close()
        return self._copy, rows

    def close(self) -> None:
        if self._snapshot is not None:
            self._snapshot.close()
        self._store.close()


def _detection_snapshot(folder: Path, staging: Path) -> RemoteSnapshot | _LocalSnapshot:
    """Return a snapshot of the detections: of the running server, or of the file if no server runs.

    Args:
        folder: The data folder.
        staging: Folder for the copy, if this process makes it.
    """
    try:
        return RemoteSnapshot(folder)
    except (FileNotFoundError, ConnectionRefusedError):
        return _LocalSnapshot(folder / DETECTIONS, staging / DETECTIONS)  # no server runs
