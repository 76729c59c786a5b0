"""Repository of flags, verdicts, quarantined input and media entries in the casebook database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from casebook.engine import open_engine, unavailable
from casebook.flags import Flag
from casebook.portions import portions
from casebook.quarantine_conflict import conflict_of
from casebook.quarantine_limits import prune_quarantine
from casebook.records import (
    QUARANTINE_LIMIT,
    QUARANTINE_STATION_LIMIT,
    CasebookTotals,
    MediaConflict,
    MediaEntry,
    Quarantined,
)
from casebook.tables import flag, media, quarantined, verdict
from casebook.verdict_rows import insert_verdicts, read_histories, verdict_of_row, withdraw_verdict
from casebook.verdicts import Verdict, verdicts_in_force


class Casebook:
    """Thread-safe repository of flags, verdicts, quarantined input and media entries.

    Every method raises ``StoreUnavailable`` if the database does not answer or rejects the statement.
    """

    def __init__(self, url: str) -> None:
        """Open the casebook database and migrate its tables to the newest schema.

        Args:
            url: A SQLAlchemy URL, such as ``sqlite:////var/lib/wildpost/casebook.sqlite`` or
                ``postgresql+psycopg://wildpost:secret@localhost/wildpost``.

        Raises:
            StoreUnavailable: the database cannot be opened, or a later Wildpost wrote its schema.
        """
        self._engine = open_engine(url)
        self._insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert

    @property
    def engine(self) -> Engine:
        """SQLAlchemy engine of the casebook database, which the repositories of the incident tables use."""
        return self._engine

    def add_flags(self, flags: Sequence[Flag]) -> int:
        """Insert flags that the casebook does not have yet, and return the number of inserted flags."""
        rows = [{name: getattr(item, name) for name in flag.c.keys()} for item in flags]  # noqa: SIM118, no mapping
        return self._add(flag, [row | {"reason_values": dict(row["reason_values"])} for row in rows])

    def flags(
        self, open_only: bool = True, limit: int = 50, after: tuple[datetime, str, str] | None = None
    ) -> list[Flag]:
        """List the flags of all events, newest first.

        Args:
            open_only: Leave out flags that a person has closed.
            limit: Maximum number of flags.
            after: Pagination cursor: the ``key`` of the last flag of the previous page.
        """
        query = select(flag).order_by(flag.c.raised_at.desc(), flag.c.event_id.desc(), flag.c.rule.desc())
        if open_only:
            query = query.where(flag.c.state == "open")
        if after is not None:
            query = query.where(_before((flag.c.raised_at, flag.c.event_id, flag.c.rule), after))
        return [Flag(**row) for row in self._read(query.limit(limit))]

    def flags_raised(self, start: datetime, end: datetime) -> list[Flag]:
        """Return all flags raised from ``start`` until before ``end``, in order of time."""
        query = select(flag).where(flag.c.raised_at >= start, flag.c.raised_at < end)
        return [Flag(**row) for row in self._read(query.order_by(flag.c.raised_at, flag.c.event_id, flag.c.rule))]

    def flags_of(self, event_ids: Iterable[str]) -> dict[str, list[Flag]]:
        """Return the flags of each event by event id, without events that have no flag."""
        found: dict[str, list[Flag]] = defaultdict(list)
        for ids in portions(event_ids):
            for row in self._read(select(flag).where(flag.c.event_id.in_(ids)).order_by(flag.c.rule)):
                found[row["event_id"]].append(Flag(**row))
        return dict(found)

    def reopen_flags(self, event_id: str) -> int:
        """Open the closed flags of one event again and return how many were closed."""
        with self._begin() as connection:
            query = update(flag).where(flag.c.event_id == event_id, flag.c.state == "closed")
            return connection.execute(query.values(state="open", closed_by=None, closed_at=None)).rowcount

    def close_flags(self, event_id: str, by: str, at: datetime) -> int:
        """Close the open flags of one event and return how many were closed."""
        with self._begin() as connection:
            query = update(flag).where(flag.c.event_id == event_id, flag.c.state == "open")
            return connection.execute(query.values(state="closed", closed_by=by, closed_at=at)).rowcount

    def record_verdict(self, decision: Verdict) -> Verdict:
        """Store one verdict; see ``record_verdicts``."""
        return self.record_verdicts([decision])[0]

    def record_verdicts(self, decisions: Sequence[Verdict], seen: Mapping[int, int] | None = None) -> list[Verdict]:
        """Store verdicts in order, all or none, marked as not yet applied to the detection store.

        Args:
            decisions: The verdicts.
            seen: By ordinal, the latest sequence that the decider knew; None: whatever others decided.

        Returns:
            The verdicts with their ``sequence``; a verdict equal to the latest on its detection is not stored again.

        Raises:
            VerdictConflict: somebody else has decided since; no verdict was stored.
        """
        with self._begin() as connection:
            return insert_verdicts(connection, decisions, seen)

    def withdraw_verdicts(
        self, event_id: str, sequences: Sequence[int], by: str, at: datetime, actor_id: str = ""
    ) -> list[Verdict]:
        """Withdraw decisions on one event, given by their ``sequence``; unknown ones are left out.

        Returns:
            The withdrawals, of which each says what is valid after it; marked as not yet applied.

        Raises:
            VerdictConflict: others keep deciding on the same detections; no decision was withdrawn.
        """
        with self._begin() as connection:
            found = [withdraw_verdict(connection, event_id, one, by, at, actor_id) for one in sequences]
            return [one for one in found if one is not None]

    def verdicts_of(self, event_ids: Iterable[str]) -> dict[str, list[Verdict]]:
        """Return the latest verdict on each detection of the given events that was not withdrawn, by ordinal."""
        found = {event_id: verdicts_in_force(rows) for event_id, rows in self.verdict_histories(event_ids).items()}
        return {event_id: [valid[ordinal] for ordinal in sorted(valid)] for event_id, valid in found.items() if valid}

    def verdict_histories(self, event_ids: Iterable[str]) -> dict[str, list[Verdict]]:
        """List every verdict on each of the given events in the order of recording, withdrawals included."""
        with self._begin() as connection:
            return read_histories(connection, event_ids)

    def verdict_history(self, event_id: str) -> list[Verdict]:
        """List every verdict on one event in the order of recording, including those that a later verdict replaced."""
        return self.verdict_histories([event_id]).get(event_id, [])

    def recent_corrections(self, limit: int) -> list[tuple[str, str | None]]:
        """List the label and scientific name of the corrections among the latest verdicts, newest first."""
        latest = select(verdict).order_by(verdict.c.sequence.desc()).limit(limit).subquery()
        rows = self._read(select(latest).where(latest.c.outcome == "corrected").order_by(latest.c.sequence.desc()))
        return [(row["label"], row["scientific_name"]) for row in rows]

    def unapplied_verdicts(self) -> list[Verdict]:
        """List the verdicts that are not marked as applied to the detection store, in the order of recording."""
        query = select(verdict).where(verdict.c.applied.is_(False)).order_by(verdict.c.sequence)
        return [verdict_of_row(row) for row in self._read(query)]

    def mark_applied(self, decisions: Sequence[Verdict]) -> None:
        """Mark recorded verdicts as applied to the detection store, so that ``unapplied_verdicts`` omits them."""
        with self._begin() as connection:
            for sequences in portions(done.sequence for done in decisions):
                connection.execute(update(verdict).where(verdict.c.sequence.in_(sequences)).values(applied=True))

    def quarantine(self, *items: Quarantined) -> int:
        """Store quarantined input whose id is not stored yet, and return the number of new records.

        A report of a station whose id is known with other content is stored as a conflict, with an id of its own.
        """
        added = self._insert_new(
            quarantined, [{name: getattr(item, name) for name in Quarantined.__slots__} for item in items]
        )
        again = [item for item, new in zip(items, added, strict=True) if not new and item.source == "station"]
        return sum(added) + sum(self._quarantine_conflict(item) for item in again)

    def _quarantine_conflict(self, item: Quarantined) -> int:
        """Store a report as a conflict if its content differs from that of the stored report with its id."""
        (row,) = self._read(select(quarantined).where(quarantined.c.id == item.id))
        conflict = conflict_of(item, row["station"], row["payload"])
        if conflict is None:
            return 0
        return self._add(quarantined, [{name: getattr(conflict, name) for name in Quarantined.__slots__}])

    def put_quarantined(self, item: Quarantined) -> None:
        """Store a quarantine record, or replace the detail, size and time of the record with this id."""
        row = {name: getattr(item, name) for name in Quarantined.__slots__}
        query = self._insert(quarantined).values(**row)
        changed = {name: row[name] for name in ("at", "detail", "size")}
        with self._begin() as connection:
            connection.execute(query.on_conflict_do_update(index_elements=["id"], set_=changed))

    def prune_quarantine(
        self, station_limit: int = QUARANTINE_STATION_LIMIT, limit: int = QUARANTINE_LIMIT
    ) -> dict[str, int]:
        """Delete the oldest quarantine records beyond the limits; see ``prune_quarantine``."""
        with self._begin() as connection:
            return prune_quarantine(connection, station_limit, limit)

    def quarantined(
        self, limit: int = 50, after: tuple[datetime, str] | None = None, stations: frozenset[str] | None = None
    ) -> list[Quarantined]:
        """List quarantined input, newest first.

        Args:
            limit: Maximum number of records.
            after: Pagination cursor: the ``key`` of the previous page's last record.
            stations: Only records of these stations; None: all, also those of no station.
        """
        query = select(quarantined).order_by(quarantined.c.at.desc(), quarantined.c.id.desc())
        if stations is not None:
            query = query.where(quarantined.c.station.in_(stations))
        if after is not None:
            query = query.where(_before((quarantined.c.at, quarantined.c.id), after))
        return [Quarantined(**row) for row in self._read(query.limit(limit))]

    def add_media(self, entries: Sequence[MediaEntry]) -> list[MediaConflict]:
        """Insert media entries that the casebook does not have yet, and return those that contradict earlier entries.

        The same content can be in several events, of several stations. Its type follows from the content, and one event
        is of one station, so an entry that differs from an earlier one in these is not stored.
        """
        by_content: dict[str, list[MediaEntry]] = defaultdict(list)
        for hashes in portions(entry.sha256 for entry in entries):
            for row in self._read(select(media).where(media.c.sha256.in_(hashes)).order_by(media.c.received_at)):
                by_content[row["sha256"]].append(MediaEntry(**row))
        conflicts: list[MediaConflict] = []
        accepted: list[MediaEntry] = []
        for entry in entries:
            earlier = by_content[entry.sha256]
            known = next((one for one in earlier if _contradicts(entry, one)), None)
            if known is not None:
                conflicts.append(MediaConflict(entry, known))
            else:
                accepted.append(entry)
                earlier.append(entry)
        self._add(media, [{name: getattr(item, name) for name in MediaEntry.__slots__} for item in accepted])
        return conflicts

    def media_of(self, event_ids: Iterable[str]) -> dict[str, list[MediaEntry]]:
        """Return the media entries of each given event, by event id."""
        found: dict[str, list[MediaEntry]] = defaultdict(list)
        for ids in portions(event_ids):
            for row in self._read(select(media).where(media.c.event_id.in_(ids)).order_by(media.c.role)):
                found[row["event_id"]].append(MediaEntry(**row))
        return dict(found)

    def media_stations(self, sha256: str) -> set[str]:
        """Return the stations that sent a file, given by its SHA-256."""
        rows = self._read(select(media.c.station).where(media.c.sha256 == sha256).distinct())
        return {row["station"] for row in rows}

    def totals(self) -> CasebookTotals:
        """Count the flags, verdicts, quarantined records and media entries in the casebook."""
        with self._begin() as connection:

            def count(table: Table) -> int:
                return connection.execute(select(func.count()).select_from(table)).scalar_one()

            open_flags = connection.execute(select(func.count()).where(flag.c.state == "open")).scalar_one()
            return CasebookTotals(count(flag), open_flags, count(verdict), count(quarantined), count(media))

    def close(self) -> None:
        """Close the connections to the casebook database; idempotent."""
        self._engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unavailable(self._engine, error) from error

    def _read(self, query: Any) -> list[dict[str, Any]]:
        with self._begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _add(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
        return sum(self._insert_new(table, rows))

    def _insert_new(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> list[bool]:
        """Insert the rows whose key the table does not contain yet, and return which are new."""
        counting = {"preserve_rowcount": True}
        with self._begin() as connection:
            query = self._insert(table).on_conflict_do_nothing()
            return [connection.execute(query, row, execution_options=counting).rowcount > 0 for row in rows]


def _before(columns: Sequence[Column[Any]], values: Sequence[object]) -> ColumnElement[bool]:
    # Bind each value with its column's type: a time compared as text would sort after every number.
    types = [column.type for column in columns]
    return tuple_(*columns) < tuple_(*values, types=types)


def _contradicts(entry: MediaEntry, earlier: MediaEntry) -> bool:
    return entry.type != earlier.type or (entry.event_id == earlier.event_id and entry.station != earlier.station)
