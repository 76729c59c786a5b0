"""What was imported from cards: each file by its content, visits, and effort; one SQLite file in the data folder.

Rows become durable together with the bundles of their messages (see ``batches``): a row says that the messages of a
file are in a bundle, or at the server.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from contract.errors import WildpostError
from contract.private_files import create_private_file
from edge.capture.visits import Visit
from edge.outbox.visit_table import store_visit, visits_around
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds

VERSION = 1
_TABLES = """
CREATE TABLE file (
    sha256 TEXT PRIMARY KEY, station TEXT NOT NULL, deployment TEXT NOT NULL, sensor TEXT NOT NULL, name TEXT NOT NULL,
    problem TEXT NOT NULL, start_us INTEGER, end_us INTEGER) WITHOUT ROWID;
CREATE INDEX file_of_sensor ON file (station, deployment, sensor);
CREATE TABLE reported (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE visit (
    visit_id TEXT PRIMARY KEY, sensor TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    best TEXT NOT NULL);
CREATE INDEX visit_by_time ON visit (sensor, start_us);
"""


class LedgerError(WildpostError):
    """The ledger cannot be used; the message gives its path and the remedy."""


class KnownFile(NamedTuple):
    """A file that was imported before.

    Attributes:
        station: Where it was imported to.
        deployment: Likewise.
        name: Its path on its card.
        problem: Why it was set aside; "" if it was not.
    """

    station: str
    deployment: str
    name: str
    problem: str


class LedgerReader:
    """Looks files up by their content; for the processes that examine files."""

    def __init__(self, path: Path) -> None:
        """Open the ledger for reading."""
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)

    def find(self, sha256: str) -> KnownFile | None:
        """Return what is known of a file with this content; None if it was not imported before."""
        return _find(self._connection, sha256)


class Ledger:
    """The ledger, open for writing by the one process that imports."""

    def __init__(self, path: Path) -> None:
        """Open the ledger, or create it.

        Raises:
            LedgerError: the file is not a ledger, or is one of a later version.
        """
        self.path = path
        create_private_file(path)
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise LedgerError(f"{path}: {error}; restore it from a backup, or move it away to start anew") from error
        if version > VERSION:
            self._connection.close()
            raise LedgerError(f"{path}: of version {version}; this Wildpost reads versions up to {VERSION}")

    def __enter__(self) -> Self:
        """Return the ledger; it is closed at the end of the context."""
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def begin(self) -> None:
        """Begin a transaction: the changes up to ``commit`` become durable together, or none of them."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the changes since ``begin`` durable."""
        self._connection.execute("COMMIT")

    def add(
        self, sha256: str, sensor: str, known: KnownFile, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        """Add a file by its content; one that is known stays as it is.

        Args:
            sha256: Hash of the content.
            sensor: Its sensor.
            known: What is known of it.
            start: When it was taken; None: unknown.
            end: When its sound or film ended.
        """
        times = [None if moment is None else microseconds(moment) for moment in (start, end)]
        row = [sha256, known.station, known.deployment, sensor, known.name, known.problem, *times]
        self._connection.execute("INSERT OR IGNORE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def find(self, sha256: str) -> KnownFile | None:
        """See ``LedgerReader.find``; this one also sees what is not durable yet."""
        return _find(self._connection, sha256)

    def is_first_report(self, name: str) -> bool:
        """Remember that something was reported; return whether it is for the first time."""
        return self._connection.execute("INSERT OR IGNORE INTO reported VALUES (?)", [name]).rowcount > 0

    def remembered(self, name: str) -> str | None:
        """Return the value that was last given to ``remember`` under a name, or None."""
        row = self._connection.execute("SELECT value FROM memory WHERE name = ?", [name]).fetchone()
        return None if row is None else str(row[0])

    def remember(self, values: Mapping[str, str]) -> None:
        """Store values by name."""
        self._connection.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", list(values.items()))

    def visits_around(self, series: str, at: datetime) -> list[Visit]:
        """Return the visits of a series directly before and after a time."""
        return visits_around(self._connection, series, at)

    def store_visit(self, visit: Visit) -> None:
        """Insert a visit, or replace its former state."""
        store_visit(self._connection, visit)

    def period(self, station: str, deployment: str, sensor: str) -> tuple[datetime, datetime, int] | None:
        """Return the first and last known time of a sensor's files, and the number of files that were usable."""
        first, last, count = self._connection.execute(
            "SELECT min(start_us), max(end_us), count(*) FILTER (WHERE problem = '') FROM file "
            "WHERE station = ? AND deployment = ? AND sensor = ?",
            [station, deployment, sensor],
        ).fetchone()
        return None if first is None else (EPOCH + first * MICROSECOND, EPOCH + last * MICROSECOND, count)


def _find(connection: sqlite3.Connection, sha256: str) -> KnownFile | None:
    with closing(
        connection.execute("SELECT station, deployment, name, problem FROM file WHERE sha256 = ?", [sha256])
    ) as rows:
        row = rows.fetchone()
    return None if row is None else KnownFile(*row)
