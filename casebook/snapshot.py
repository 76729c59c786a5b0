"""Consistent copy of a SQLite casebook while other processes write to the casebook."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from contract.errors import StoreUnavailable


class SqliteCasebookSnapshot:
    """Snapshot of a SQLite casebook that is consistent with a snapshot of the detection store.

    Call ``hold`` after the detection store's snapshot was taken, and then ``write``.
    """

    def __init__(self, path: Path) -> None:
        """Open the SQLite file of a casebook without migrating its tables.

        Raises:
            StoreUnavailable: the file does not exist or cannot be read.
        """
        self._path = path
        with _named(path):
            # Not read-only: the last connection to close must be able to remove the write-ahead log.
            uri = f"{path.absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
        # The detection store has all verdicts before this id. Later ones may be applied, and marked as applied,
        # between the snapshot of the detections and this one.
        self._first_unsure_id = self._scalar(
            "SELECT coalesce((SELECT min(id) FROM verdict WHERE NOT applied), (SELECT max(id) + 1 FROM verdict), 0)"
        )

    def hold(self) -> None:
        """Begin the read transaction that fixes the content of the snapshot, which later writes do not change.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        with _named(self._path):
            self._connection.execute("BEGIN")
        self._scalar("SELECT count(*) FROM sqlite_schema")  # the first read fixes the snapshot of the transaction

    def write(self, path: Path) -> dict[str, int]:
        """Copy the snapshot into a new SQLite file and return the number of rows of each table.

        Raises:
            StoreUnavailable: the copy failed or is not complete.
        """
        with _named(self._path), closing(sqlite3.connect(path, isolation_level=None)) as copy:
            self._connection.backup(copy)
            expected = count_rows(self._connection)
            # After a restore, the server applies these again, so the store misses none; that is idempotent.
            copy.execute("UPDATE verdict SET applied = 0 WHERE id >= ?", [self._first_unsure_id])
            copy.execute("PRAGMA journal_mode = DELETE")  # one file
            copied = count_rows(copy)
        if copied != expected:
            raise StoreUnavailable(f"{path}: copied {copied} rows, expected {expected}")
        return copied

    def close(self) -> None:
        """Close the connection to the casebook file; idempotent."""
        self._connection.close()

    def _scalar(self, sql: str) -> int:
        with _named(self._path):
            return int(self._connection.execute(sql).fetchone()[0])


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of every table in a SQLite database, by table name."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    counted = {}
    for (name,) in sorted(names.fetchall()):
        quoted = '"' + name.replace('"', '""') + '"'
        counted[str(name)] = int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])  # noqa: S608
    return counted


def count_file(path: Path) -> dict[str, int]:
    """Check the integrity of a casebook file and count the rows of every table, by table name.

    Raises:
        StoreUnavailable: the file is not a SQLite file or is damaged.
    """
    with _named(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        answer = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != "ok":
            raise StoreUnavailable(f"{path}: {answer}")
        return count_rows(connection)


def media_names(path: Path) -> Iterator[str]:
    """Yield the SHA-256 of every media entry in a casebook file, sorted and without duplicates."""
    with _named(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for (name,) in connection.execute("SELECT DISTINCT sha256 FROM media ORDER BY sha256"):
            yield str(name)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"casebook {path}: {error}") from error
