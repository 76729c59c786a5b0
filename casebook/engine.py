"""Opens the casebook's database, SQLite or PostgreSQL, and brings its tables to the form this Wildpost knows."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from contract.errors import StoreUnavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
_PATIENCE_S = 30.0  # with a SQLite file that another process is writing to
_LOCK = 0x57_49_4C_44  # any number, the same for every Wildpost: whoever holds it changes tables


class CasebookOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where flags, verdicts, incidents and alerts are kept.

    Attributes:
        url: A database as SQLAlchemy names it, ``postgresql+psycopg://wildpost@db.example/wildpost``; empty: a SQLite
            file in the data folder.
        secret_variable: Name of the environment variable that holds its password; it never stands in settings.
    """

    url: str = ""
    secret_variable: str = "WILDPOST_CASEBOOK_SECRET"  # noqa: S105, its name

    def url_in(self, folder: Path) -> str:
        """Write the whole address, secret included, of the database for a data folder."""
        if not self.url:
            return f"sqlite:///{folder / 'casebook.sqlite'}"
        secret = os.environ.get(self.secret_variable)
        url = make_url(self.url)
        return (url.set(password=secret) if secret else url).render_as_string(hide_password=False)

    def __post_init__(self) -> None:
        try:
            url = make_url(self.url or "sqlite://")
        except ArgumentError:
            raise ValueError(
                "casebook url is no address of a database; expected postgresql+psycopg://USER@HOST/DATABASE"
            ) from None  # it may hold a password
        if url.password:
            raise ValueError(f"casebook url {url} holds a password: put it into {self.secret_variable} instead")
        if self.url and url.drivername != "postgresql+psycopg":
            raise ValueError(
                f"casebook url {url}: expected postgresql+psycopg://USER@HOST/DATABASE, or none for SQLite"
            )


def form_of(url: str) -> str:
    """Ask a database for the form of its tables, and change nothing.

    Raises:
        StoreUnavailable: it does not answer, or does not let us in.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            if "alembic_version" not in tables:
                return "empty"
            form = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return f"tables of form {form}"
    except SQLAlchemyError as error:
        raise unavailable(engine, error) from error
    finally:
        engine.dispose()


def open_engine(url: str) -> Engine:
    """Open a database and bring its tables to the newest form; two that open it at once wait for each other.

    Raises:
        StoreUnavailable: it cannot be opened, or a later Wildpost made it.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            lock = "BEGIN IMMEDIATE" if url.startswith("sqlite") else f"SELECT pg_advisory_xact_lock({_LOCK})"
            connection.exec_driver_sql(lock)
            _upgrade(connection)
            connection.commit()
    except SQLAlchemyError as error:
        engine.dispose()
        raise unavailable(engine, error) from error
    except StoreUnavailable:
        engine.dispose()
        raise
    return engine


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": _PATIENCE_S})
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    # pre_ping: after the server was away, a connection from before is noticed and made anew
    return create_engine(url, connect_args={"connect_timeout": 10}, pool_pre_ping=True)


def unavailable(engine: Engine, error: SQLAlchemyError) -> StoreUnavailable:
    """Say in one line what a database did not do."""
    return StoreUnavailable(f"casebook {engine.url!r}: {str(error).partition(chr(10))[0]}")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        found = _from_before_migrations(connection)
        if found is not None:
            command.stamp(config, found)
    if found not in {None, *(script.revision for script in known.walk_revisions())}:
        raise _too_new(connection, found, known.get_current_head())
    command.upgrade(config, "head")


def _from_before_migrations(connection: Connection) -> str | None:
    """Tell the form of a casebook that was made before forms were numbered by migrations; None: it is empty."""
    tables = set(inspect(connection).get_table_names())
    if "about" not in tables:
        return None
    version = connection.execute(text("SELECT max(version) FROM about")).scalar()
    if version is not None and version > 1:
        raise _too_new(connection, version, 1)
    return "0002" if "incident" in tables else "0001"


def _too_new(connection: Connection, found: object, newest: object) -> StoreUnavailable:
    return StoreUnavailable(
        f"casebook {connection.engine.url!r} is of version {found}, and this Wildpost reads up to {newest}: "
        "run the newer Wildpost that made it"
    )


def _set_up_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # WAL: readers do not wait for the writer. FULL: what was committed is on the disk, not on its way there.
    _until_free(lambda: cursor.execute("PRAGMA journal_mode=WAL"))
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _until_free(step: Callable[[], object]) -> None:
    """Wait as SQLite does elsewhere: where two give a new file this form at once, it refuses one without waiting."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            step()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
