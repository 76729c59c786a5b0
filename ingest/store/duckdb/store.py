"""Detection store in a DuckDB file, for one machine without a database server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from numpy.typing import NDArray

from casebook.clock_shifts import ClockShift
from casebook.verdicts import Verdict
from contract import Deployment, Event, Health, Status
from contract.errors import ContentRejected, StoreUnavailable
from contract.private_files import restrict
from contract.validation import decode_stored
from ingest.store.counts import CountQuery, TaxonCount
from ingest.store.duckdb.clock_shifts import set_clock_shifts
from ingest.store.duckdb.connection import connect
from ingest.store.duckdb.counting import count, recount, write_verdicts
from ingest.store.duckdb.effort import effort
from ingest.store.duckdb.events import write_events
from ingest.store.duckdb.listing import DuckDbListing, portions
from ingest.store.duckdb.records import read_model_use, read_records
from ingest.store.duckdb.reports import read_deployments, write_new_effort, write_report
from ingest.store.duckdb.snapshot import DuckDbSnapshot
from ingest.store.duckdb.tables import SCHEMA, UPGRADES, VERSION, Relations, names_table, relations_of
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.microseconds import EPOCH, MICROSECOND
from ingest.store.model_use import ModelUse
from ingest.store.port import Conflict, EventQuery, ListedEvent, Received, StationState, WriteResult
from ingest.store.records import RecordQuery, Records


class DuckDbStore:
    """Detection store in one DuckDB file, for one process with one writer and many readers; implements ``Store``."""

    problem = ""  # every problem raises an error
    max_concurrent_batches = 1  # a file has one writer

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the DuckDB file, and create the file if it does not exist.

        Raises:
            StoreUnavailable: another process has it open, it is not a detections file, or its schema is newer.
        """
        self._path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._closed = False
        self._relations = Relations()
        self._newest_us = 0  # the time under which the newest event is listed
        self._connection = self._open()

    def write(self, batch: Sequence[Received]) -> WriteResult:
        """Commit a batch of records to the DuckDB file; see ``Store.write``."""
        with self._lock:
            self._reopen_if_broken()
            return self._write(batch)

    def _write(self, batch: Sequence[Received]) -> WriteResult:
        with self._transaction() as connection:
            new, conflicts, newest_us, corrected = write_events(connection, batch, self._newest_us)
            new_effort, others = write_new_effort(connection, batch)
            new += new_effort
            for item in others:
                written = write_report(connection, item)
                if isinstance(written, Conflict):
                    conflicts.append(written)
                else:
                    new += written
        self._newest_us = newest_us
        return WriteResult(new, len(batch) - new - len(conflicts), tuple(conflicts), corrected)

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Store verdicts and apply them to the stored detections; see ``Store.apply_verdicts``."""
        with self._lock:
            self._reopen_if_broken()
            self._apply_verdicts(verdicts)

    def _apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        with self._transaction() as connection:
            write_verdicts(connection, verdicts)
            event_ids = list(dict.fromkeys(verdict.event_id for verdict in verdicts))
            for portion in portions(event_ids):
                recount(connection, portion)

    def set_clock_shifts(self, shifts: Sequence[ClockShift]) -> dict[str, int]:
        """Move the captures of all corrections in force to their corrected times, and all others back; idempotent.

        Captures that arrive later are moved when they are written. A capture that would come to lie before 1990 or
        after its receipt stays.

        Returns:
            The number of moved captures of each correction, by its number.

        Raises:
            StoreUnavailable: the corrections must be treated as not applied.
        """
        with self._lock:
            self._reopen_if_broken()
            with self._transaction() as connection:
                return set_clock_shifts(connection, shifts)

    def events(self, query: EventQuery) -> list[Event]:
        """List events, newest first; see ``Store.events``."""
        return [one.sent for one in self.listing(query)]

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """List events with the times under which they are listed; see ``Store.listing``."""
        return DuckDbListing(self._read, self._relations).listing(query)

    def payloads(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the messages of events; see ``Store.payloads``."""
        found = DuckDbListing(self._read, self._relations).payloads(event_ids)
        return {event_id: payload.encode() for event_id, payload in found.items()}

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """List the sort keys of events; see ``Store.keys``."""
        return DuckDbListing(self._read, self._relations).keys(query)

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """Count detections per local day and hour; see ``Store.count``."""
        return count(self._read, query, self._relations.detection)

    def records(self, query: RecordQuery) -> Records:
        """Return a record for each capture and taxon; see ``Store.records``."""
        return read_records(self._read, self._read_columns, query, self._relations.detection)

    def models_in_use(self) -> list[ModelUse]:
        """List the days of use of models; see ``Store.models_in_use``."""
        return read_model_use(self._read, self._relations.model_use)

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """Return the effort timelines of sensors; see ``Store.effort``."""
        return effort(self._read, query, self._relations.effort)

    def stations(self) -> list[StationState]:
        """List every station with its latest state; see ``Store.stations``."""
        rows = self._read(
            f"""
            WITH last_health AS (SELECT station, payload, received_us FROM {self._relations.latest}
                     WHERE kind = 'health'),
                 seen AS (SELECT station, max(listed_us) AS last_us, count(*) AS events
                     FROM {self._relations.event} GROUP BY station),
                 names AS (SELECT station FROM status UNION SELECT station FROM last_health
                     UNION SELECT station FROM seen)
            SELECT station, status.payload, last_health.payload, last_us, coalesce(events, 0),
                status.at_us, last_health.received_us
            FROM names LEFT JOIN status USING (station)
                LEFT JOIN last_health USING (station) LEFT JOIN seen USING (station)
            ORDER BY station
            """,
            [],
        )
        return [
            StationState(
                station,
                decode_stored(status, Status) if status else None,
                decode_stored(health, Health) if health else None,
                _moment(last_us),
                events,
                _moment(status_us),
                _moment(health_us),
            )
            for station, status, health, last_us, events, status_us, health_us in rows
        ]

    def deployments(self) -> list[Deployment]:
        """List the latest record of every deployment; see ``Store.deployments``."""
        return read_deployments(self._read, self._relations.latest)

    def snapshot(self, path: Path) -> DuckDbSnapshot:
        """Take a snapshot of the committed data, to be copied to the file ``path`` while writing continues.

        Raises:
            StoreUnavailable: the database cannot be read, or the file cannot be created.
        """
        with self._lock:
            self._reopen_if_broken()
            return DuckDbSnapshot(self._connection.cursor(), path)

    def close(self) -> None:
        """Close the DuckDB file; see ``Store.close``."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = connect(self._path, read_only=self._read_only)
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        try:
            if not self._read_only:
                restrict(self._path)  # DuckDB accepts no mode for the files that it creates
            connection.execute("SET pandas_analyze_sample = 0")  # do not infer types from the content of text columns
            self._prepare(connection)
            if not self._read_only:
                row = connection.execute("SELECT coalesce(max(listed_us), 0) FROM event").fetchone()
                self._newest_us = row[0] if row else 0
        except duckdb.Error as error:
            connection.close()
            raise self._unavailable(error) from error
        except StoreUnavailable:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        # Check the version first: tables of a newer schema must not be changed.
        known = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'schema_version'").fetchone()
        row = connection.execute("SELECT max(version) FROM schema_version").fetchone() if known else None
        version = row[0] if row else None
        if version is not None and version > VERSION:
            raise StoreUnavailable(
                f"{self._path}: its schema is version {version}, this Wildpost reads up to {VERSION}: "
                "run the newer Wildpost that created it"
            )
        if version == VERSION or (version is None and self._read_only):
            return
        if self._read_only and version is not None:
            self._relations = relations_of(version)
            return
        connection.begin()
        if version is not None:
            names_table(connection)
        connection.execute(SCHEMA if version is None else UPGRADES[version])
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", [VERSION])
        connection.commit()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection, self._unavailable)

    def _read(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                return cursor.execute(sql, values).fetchall()
        except duckdb.Error as error:
            raise self._unavailable(error) from error

    def _read_columns(self, sql: str, values: list[Any]) -> Mapping[str, NDArray[Any]]:
        try:
            with self._connection.cursor() as cursor:
                found: Mapping[str, NDArray[Any]] = cursor.execute(sql, values).fetchnumpy()
                return found
        except duckdb.Error as error:
            raise self._unavailable(error) from error

    def _reopen_if_broken(self) -> None:
        """Reopen the DuckDB file if its connection no longer works, such as after a failed commit on a full disk."""
        if self._closed:
            raise StoreUnavailable(f"{self._path}: this store was closed")
        try:
            self._connection.execute("SELECT 1 FROM schema_version").fetchone()
        except duckdb.Error:
            self._connection.close()
            self._connection = self._open()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        text = f"{self._path}: {str(error).partition(chr(10))[0]}"
        if "Conflicting lock" in text:
            text += " Another Wildpost uses this file: stop that one, or give this one its own WILDPOST_DATA folder."
        rejected = isinstance(error, (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError))
        return ContentRejected(text) if rejected else StoreUnavailable(text)


def _moment(time_us: int | None) -> datetime | None:
    return None if time_us is None else EPOCH + time_us * MICROSECOND


class _Transaction:
    """Transaction in DuckDB that converts DuckDB errors to ``StoreUnavailable``."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, unavailable: Callable[[Exception], StoreUnavailable]
    ) -> None:
        self._connection = connection
        self._unavailable = unavailable

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        try:
            self._connection.begin()
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._connection.commit()
                return
            self._connection.rollback()
        except duckdb.Error as failure:
            error = error or failure
        if isinstance(error, duckdb.Error):
            raise self._unavailable(error) from error
