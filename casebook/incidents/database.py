"""Transactions and upserts for the incident tables of the casebook."""

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
    """Transactions and upserts that work on both SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        """Use a SQLAlchemy engine, which the caller closes."""
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that is committed after the ``with`` block, or rolled back on an exception.

        Raises:
            StoreUnavailable: the database did not answer or rejected a statement.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unavailable(self._engine, error) from error

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Open a transaction that holds the incident lock, which one transaction at a time can hold.

        The lock holds across all processes.
        """
        with self.begin() as connection:
            query = self._insert(incident_lock).values(id=1, taken=1)
            connection.execute(
                query.on_conflict_do_update(index_elements=["id"], set_={"taken": incident_lock.c.taken + 1})
            )
            yield connection

    def add(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows whose primary key the table does not contain yet, and return the number of new rows."""
        counting = {"preserve_rowcount": True}
        query = self._insert(table).on_conflict_do_nothing()
        return sum(connection.execute(query, row, execution_options=counting).rowcount for row in rows)

    def put(self, connection: Connection, table: Table, row: Mapping[str, Any], changing: Sequence[str]) -> None:
        """Insert a row into a table; if its primary key exists, update the columns named in ``changing``."""
        query = self._insert(table).values(**row)
        keys = [column.name for column in table.primary_key]
        connection.execute(
            query.on_conflict_do_update(index_elements=keys, set_={name: row[name] for name in changing})
        )


def place_columns(place: Location | None) -> dict[str, float | None]:
    """Return the values of the columns ``latitude`` and ``longitude`` for a location."""
    return {"latitude": place.latitude if place else None, "longitude": place.longitude if place else None}


def place_of(row: Mapping[str, Any]) -> Location | None:
    """Return the location in the columns ``latitude`` and ``longitude`` of a row; None if they are empty."""
    if row["latitude"] is None:
        return None
    return Location(latitude=row["latitude"], longitude=row["longitude"])
