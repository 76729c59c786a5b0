"""Consistent copy of a DuckDB detection store to a new file while other threads write to the store."""

import contextlib
from pathlib import Path
from uuid import uuid4

import duckdb

from contract.errors import StoreUnavailable
from ingest.store.duckdb.connection import connect


class DuckDbSnapshot:
    """Snapshot of the committed data of a DuckDB store, fixed when the object is created; for use by one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Create the file for the copy, and begin the transaction that fixes the content of the snapshot.

        Args:
            connection: A connection not used elsewhere, such as a cursor; ``close`` closes it.
            path: The file to write, which must not exist.

        Raises:
            StoreUnavailable: the database cannot be read, or the file cannot be created.
        """
        self._connection = connection
        self._path = path
        self._copy = f"copy_{uuid4().hex}"
        try:
            connection.execute(f"ATTACH {_text(str(path))} AS {self._copy} (READ_WRITE)")
            self._name = str(connection.execute("SELECT current_database()").fetchall()[0][0])
            connection.begin()
            # The first read fixes the snapshot of the transaction.
            self._rows = self._count(self._name)
        except duckdb.Error as error:
            self.close()
            raise self._unavailable(error) from error

    def write(self) -> dict[str, int]:
        """Copy the snapshot to the new file and return the number of rows of each table.

        Raises:
            StoreUnavailable: the copy failed or is not complete.
        """
        try:
            self._connection.execute(f"COPY FROM DATABASE {_name(self._name)} TO {self._copy}")
            self._connection.commit()
            copied = self._count(self._copy)
            self._connection.execute(f"DETACH {self._copy}")  # from here on, the copy is one file on disk
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        if copied != self._rows:
            raise StoreUnavailable(f"{self._path}: copied {copied} rows, expected {self._rows}")
        return copied

    def interrupt(self) -> None:
        """Cancel a running ``write`` from another thread; a finished copy is not affected."""
        with contextlib.suppress(duckdb.ConnectionException):  # closed already
            self._connection.interrupt()

    def close(self) -> None:
        """End the snapshot's transaction, detach an unfinished copy and close the connection; idempotent."""
        # Closing a connection does not detach attached databases.
        for statement in ("ROLLBACK", f"DETACH DATABASE IF EXISTS {self._copy}"):
            with contextlib.suppress(duckdb.Error):  # no transaction, or closed already
                self._connection.execute(statement)
        self._connection.close()

    def _count(self, database: str) -> dict[str, int]:
        return count_rows(self._connection, database)

    def _unavailable(self, error: duckdb.Error) -> StoreUnavailable:
        return StoreUnavailable(f"copy of the detections to {self._path}: {str(error).partition(chr(10))[0]}")


def count_rows(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    """Count the rows of every table in an attached DuckDB database, by table name."""
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY table_name", [database]
    ).fetchall()
    counted = {}
    for (name,) in names:
        counted[str(name)] = int(
            connection.execute(f"SELECT count(*) FROM {_name(database)}.{_name(name)}").fetchall()[0][0]
        )
    return counted


def count_file(path: Path) -> dict[str, int]:
    """Count the rows of every table in a DuckDB file that no other process has open.

    Raises:
        StoreUnavailable: the file is not a DuckDB file, or another process has it open.
    """
    try:
        with connect(path, read_only=True) as connection:
            return count_rows(connection, str(connection.execute("SELECT current_database()").fetchall()[0][0]))
    except duckdb.Error as error:
        raise StoreUnavailable(f"{path}: {str(error).partition(chr(10))[0]}") from error


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
