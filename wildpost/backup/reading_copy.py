"""Copies of a server's databases, for commands that read much beside a running server."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from casebook.casebook import Casebook
from casebook.snapshot import SqliteCasebookSnapshot
from ingest.store.duckdb.store import DuckDbStore
from wildpost.backup.archive import CASEBOOK, DETECTIONS
from wildpost.backup.create import CannotBackUp, detection_snapshot
from wildpost.backup.snapshot_server import STAGING


@contextmanager
def copied_databases(data: Path) -> Iterator[tuple[DuckDbStore, Casebook]]:
    """Yield detections and casebook as they are now; the copies are deleted afterwards.

    Raises:
        CannotBackUp: the data folder has no databases.
        StoreUnavailable: a database cannot be read.
    """
    for name in (DETECTIONS, CASEBOOK):
        if not (data / name).exists():
            raise CannotBackUp(f"{data / name}: no such database; name the server's data folder with --data DIR")
    with ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=STAGING, dir=data)))
        casebook = stack.enter_context(closing(SqliteCasebookSnapshot(data / CASEBOOK)))
        detections = stack.enter_context(closing(detection_snapshot(data, staging)))
        detections.hold()
        casebook.hold()
        copied, _ = detections.write()
        casebook.write(staging / CASEBOOK)
        store = stack.enter_context(closing(DuckDbStore(copied, read_only=True)))
        yield store, stack.enter_context(closing(Casebook(f"sqlite:///{staging / CASEBOOK}")))
