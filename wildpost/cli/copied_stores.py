"""Reads the databases of a server that may be running, from copies."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from casebook.casebook import Casebook
    from ingest.store.duckdb.store import DuckDbStore


@contextmanager
def copied_stores(data: Path) -> "Iterator[tuple[DuckDbStore, Casebook]]":
    """Yield detections and casebook of a data folder as they are now, which a server may have open."""
    from casebook.casebook import Casebook
    from ingest.store.duckdb.store import DuckDbStore
    from wildpost.backup.archive import CASEBOOK, DETECTIONS
    from wildpost.backup.copies import backup_lock, check_free_space, copied_databases
    from wildpost.backup.errors import CannotBackUp

    for name in (DETECTIONS, CASEBOOK):
        if not (data / name).exists():
            raise CannotBackUp(f"{data / name}: no such database; name the server's data folder with --data DIR")
    with backup_lock(data):  # a backup deletes the copies of others that it takes for left behind
        check_free_space(data)
        with copied_databases(data) as copies, ExitStack() as stack:
            store = stack.enter_context(closing(DuckDbStore(copies.detections, read_only=True)))
            yield store, stack.enter_context(closing(Casebook(f"sqlite:///{copies.casebook}")))
