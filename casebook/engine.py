"""Connection to the casebook database, SQLite or PostgreSQL, and migration of its schema."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from contract.errors import ContentRejected, StoreUnavailable
from contract.private_files import create_private_file
from contract.redaction import VariableName

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_TIMEOUT_S = 30.0  # while another process writes to the SQLite file
_LOCK = 0x57_49_4C_44  # key of the advisory lock held during a migration; any number, but the same in every process


class CasebookOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connection settings of the casebook database.

    Attributes:
        url: A SQLAlchemy URL such as ``postgresql+psycopg://wildpost@db.example/wildpost``; empty means a SQLite file
            in the data folder.
        secret_variable: Name of the environment variable with the database password; settings never contain it.
    """

    url: str = ""
    secret_variable: VariableName = "WILDPOST_CASEBOOK_SECRET"  # noqa: S105, its name

    def url_in(self, folder: Path) -> str:
        """Return the database URL with the password, or the URL of a SQLite file in ``folder`` if ``url`` is empty."""
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
                "casebook url is not a database URL; expected postgresql+psycopg://USER@HOST/DATABASE"
            ) from None  # the URL may contain a password
        # The messages omit the URL, since it may contain a password in an unexpected place.
        if url.password or any("pass" in key.lower() for key in url.query):
            raise ValueError(f"casebook url contains a password: set it in {self.secret_variable} instead")
        if self.url and url.drivername != "postgresql+psycopg":
            raise ValueError("casebook url: expected postgresql+psycopg://USER@HOST/DATABASE, or none for SQLite")


def describe_schema(url: str) -> str:
    """Return the schema version of the casebook at a database URL as text, without changing the database.

    Raises:
        StoreUnavailable: the database does not answer or refuses the connection.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            if "alembic_version" not in tables:
                return "empty"
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return f"schema version {version}"
    except SQLAlchemyError as error:
        raise unavailable(engine, error) from error
    finally:
        engine.dispose()


def open_engine(url: str) -> Engine:
    """Connect to the casebook at a database URL, and migrate its tables to the newest schema.

    A lock prevents two processes from migrating at the same time.

    Raises:
        StoreUnavailable: the database cannot be opened, or a later Wildpost wrote its schema.
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
        engine = create_engine(url, connect_args={"timeout": _LOCK_TIMEOUT_S})
        if engine.url.database:
            create_private_file(Path(engine.url.database))
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    # pre_ping: after a server restart, a stale pooled connection is detected and replaced
    return create_engine(url, connect_args={"connect_timeout": 10}, pool_pre_ping=True)


def unavailable(engine: Engine, error: SQLAlchemyError) -> StoreUnavailable:
    """Convert a SQLAlchemy error into ``StoreUnavailable`` with the database URL and the first line of the error.

    The subclass ``ContentRejected`` says that the database works, and rejects the values of the statement.
    """
    by_content = isinstance(error, (DataError, IntegrityError, ProgrammingError, NotSupportedError)) or (
        isinstance(error, StatementError) and not isinstance(error, DBAPIError)
    )
    kind = ContentRejected if by_content else StoreUnavailable
    return kind(f"casebook {engine.url!r}: {str(error).partition(chr(10))[0]}")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        found = _from_before_migrations(connection)
        if found is not None:
            command.stamp(config, found)
    if found not in {None, *(script.revision for script in scripts.walk_revisions())}:
        raise _too_new(connection, found, scripts.get_current_head())
    command.upgrade(config, "head")


def _from_before_migrations(connection: Connection) -> str | None:
    """Return the Alembic revision that matches the tables of a casebook without a stored revision number.

    None if the database has no casebook tables.
    """
    tables = set(inspect(connection).get_table_names())
    if "about" not in tables:
        return None
    version = connection.execute(text("SELECT max(version) FROM about")).scalar()
    if version is not None and version > 1:
        raise _too_new(connection, version, 1)
    return "0002" if "incident" in tables else "0001"


def _too_new(connection: Connection, found: object, newest: object) -> StoreUnavailable:
    return StoreUnavailable(
        f"casebook {connection.engine.url!r} has schema version {found}, and this Wildpost reads up to {newest}: "
        "run the newer Wildpost that created it"
    )


def _set_up_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # WAL: readers do not wait for the writer. FULL: a commit returns after the data is on disk.
    _until_free(lambda: cursor.execute("PRAGMA journal_mode=WAL"))
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _until_free(step: Callable[[], object]) -> None:
    """Call ``step``, and repeat the call while the SQLite file is locked.

    SQLite's own timeout does not apply to setting WAL mode.
    """
    until = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            step()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
