"""One way into the casebook's database for all that concerns incidents."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from casebook.engine import unavailable
from casebook.incidents.tables import incident_lock
from contract import Location


class Database:
    """Transactions and inserts that SQLite and PostgreSQL both know."""

    def __init__(self, engine: Engine) -> None:
        """Use a database; it stays its owner's to close."""
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction: all of it or nothing of it.

        Raises:
            StoreUnavailable: the database did not answer or did not take it.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unavailable(self._engine, error) from error

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Open a transaction that no other of its kind runs beside, in any process."""
        with self.begin() as connection:
            query = self._insert(incident_lock).values(id=1, taken=1)
            connection.execute(
                query.on_conflict_do_update(index_elements=["id"], set_={"taken": incident_lock.c.taken + 1})
            )
            yield connection

    def add(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert what is not there yet; returns how many were new."""
        counting = {"preserve_rowcount": True}
        queries = [self._insert(table).values(**row).on_conflict_do_nothing() for row in rows]
        return sum(connection.execute(query, execution_options=counting).rowcount for query in queries)

    def put(self, connection: Connection, table: Table, row: Mapping[str, Any], changing: Sequence[str]) -> None:
        """Insert a row, or change these columns of the one that is there."""
        query = self._insert(table).values(**row)
        keys = [column.name for column in table.primary_key]
        connection.execute(
            query.on_conflict_do_update(index_elements=keys, set_={name: row[name] for name in changing})
        )


def place_columns(place: Location | None) -> dict[str, float | None]:
    """Take a place apart for its two columns."""
    return {"latitude": place.latitude if place else None, "longitude": place.longitude if place else None}


def place_of(row: Mapping[str, Any]) -> Location | None:
    """Put a place together again."""
    if row["latitude"] is None:
        return None
    return Location(latitude=row["latitude"], longitude=row["longitude"])
