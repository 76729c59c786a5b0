"""Holds one moment of the casebook while others go on writing, and copies it to a SQLite file of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from contract.errors import StoreUnavailable


class SqliteCasebookSnapshot:
    """A casebook in a SQLite file. ``hold`` after the detections are held, then ``write``."""

    def __init__(self, path: Path) -> None:
        """Open it, without changing its tables.

        Raises:
            StoreUnavailable: there is none, or it cannot be read.
        """
        self._path = path
        with _named(path):
            # Not read-only: whoever closes it last clears its write-ahead log away, and should be able to.
            uri = f"{path.absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
        # Verdicts before this one are in the detection store by now. Those from here on may reach it, and be marked
        # as there, between its moment and ours.
        self._unsure = self._scalar(
            "SELECT coalesce((SELECT min(id) FROM verdict WHERE NOT applied), (SELECT max(id) + 1 FROM verdict), 0)"
        )

    def hold(self) -> None:
        """Fix the moment.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        with _named(self._path):
            self._connection.execute("BEGIN")
        self._scalar("SELECT count(*) FROM sqlite_schema")  # the first look fixes what this transaction sees

    def write(self, path: Path) -> dict[str, int]:
        """Copy the moment into a new file; returns how many rows each table has.

        Raises:
            StoreUnavailable: it could not be copied whole.
        """
        with _named(self._path), closing(sqlite3.connect(path, isolation_level=None)) as copy:
            self._connection.backup(copy)
            expected = count_rows(self._connection)
            # Handed to the store once more at the next start, which is harmless: none of them is missing there.
            copy.execute("UPDATE verdict SET applied = 0 WHERE id >= ?", [self._unsure])
            copy.execute("PRAGMA journal_mode = DELETE")  # one file
            copied = count_rows(copy)
        if copied != expected:
            raise StoreUnavailable(f"{path}: copied {copied} rows, expected {expected}")
        return copied

    def close(self) -> None:
        """Let go of it; calling it twice is harmless."""
        self._connection.close()

    def _scalar(self, sql: str) -> int:
        with _named(self._path):
            return int(self._connection.execute(sql).fetchone()[0])


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of every table."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    counted = {}
    for (name,) in sorted(names.fetchall()):
        quoted = '"' + name.replace('"', '""') + '"'
        counted[str(name)] = int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])  # noqa: S608
    return counted


def count_file(path: Path) -> dict[str, int]:
    """Count the rows of every table of a casebook file, after a look over the file as a whole.

    Raises:
        StoreUnavailable: it is no SQLite file, or it is not whole.
    """
    with _named(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        answer = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != "ok":
            raise StoreUnavailable(f"{path}: {answer}")
        return count_rows(connection)


def media_names(path: Path) -> Iterator[str]:
    """Give the hash of everything a casebook file names as media, sorted."""
    with _named(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for (name,) in connection.execute("SELECT DISTINCT sha256 FROM media ORDER BY sha256"):
            yield str(name)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"casebook {path}: {error}") from error
