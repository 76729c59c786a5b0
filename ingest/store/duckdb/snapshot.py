"""Holds one moment of a detections file while others go on writing, and copies it to a file of its own."""

import contextlib
from pathlib import Path
from uuid import uuid4

import duckdb

from contract.errors import StoreUnavailable


class DuckDbSnapshot:
    """What was committed when this was made, whatever is written afterwards; for one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Hold the moment.

        Args:
            connection: One of its own, such as a cursor; it is closed in the end.
            path: The file to write, which is not there yet.

        Raises:
            StoreUnavailable: the database cannot be read, or the file cannot be made.
        """
        self._connection = connection
        self._path = path
        self._copy = f"copy_{uuid4().hex}"
        try:
            connection.execute(f"ATTACH {_text(str(path))} AS {self._copy} (READ_WRITE)")
            self._name = str(connection.execute("SELECT current_database()").fetchall()[0][0])
            connection.begin()
            # The first look at a table fixes what this transaction sees.
            self._rows = self._count(self._name)
        except duckdb.Error as error:
            self.close()
            raise self._unavailable(error) from error

    def write(self) -> dict[str, int]:
        """Write the copy; returns how many rows each table has.

        Raises:
            StoreUnavailable: it could not be written whole.
        """
        try:
            self._connection.execute(f"COPY FROM DATABASE {_name(self._name)} TO {self._copy}")
            self._connection.commit()
            copied = self._count(self._copy)
            self._connection.execute(f"DETACH {self._copy}")  # it is on the disk, and one file, from here on
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        if copied != self._rows:
            raise StoreUnavailable(f"{self._path}: copied {copied} rows, expected {self._rows}")
        return copied

    def interrupt(self) -> None:
        """Break the copy off, from another thread; one that is done is left as it is."""
        with contextlib.suppress(duckdb.ConnectionException):  # closed already
            self._connection.interrupt()

    def close(self) -> None:
        """Let go of the moment, and of a copy that was not finished; calling it twice is harmless."""
        # The database keeps what is attached when a connection of it closes.
        for statement in ("ROLLBACK", f"DETACH DATABASE IF EXISTS {self._copy}"):
            with contextlib.suppress(duckdb.Error):  # no transaction, or closed already
                self._connection.execute(statement)
        self._connection.close()

    def _count(self, database: str) -> dict[str, int]:
        return count_rows(self._connection, database)

    def _unavailable(self, error: duckdb.Error) -> StoreUnavailable:
        return StoreUnavailable(f"copy of the detections to {self._path}: {str(error).partition(chr(10))[0]}")


def count_rows(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    """Count the rows of every table of an attached database."""
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
    """Count the rows of every table of a detections file that nobody has open.

    Raises:
        StoreUnavailable: it is no DuckDB file, or another process has it open.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return count_rows(connection, str(connection.execute("SELECT current_database()").fetchall()[0][0]))
    except duckdb.Error as error:
        raise StoreUnavailable(f"{path}: {str(error).partition(chr(10))[0]}") from error


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
