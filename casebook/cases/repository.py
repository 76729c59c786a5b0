"""Repository of cases in the casebook's database: entries are only ever added, each behind the one before."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, literal, select, true, tuple_, update

from casebook.cases.case_file import NEVER, CaseConflict, CaseFile, HeldEvent, State, case_of_row
from casebook.cases.deadlines import CaseOptions, Deadline, deadlines_of, next_due
from casebook.cases.entry import (
    ACCESS,
    FIRST_PREVIOUS,
    CaseRefused,
    Change,
    Entry,
    LinkedEvent,
    Step,
    check_change,
    decode_entry,
    encode_entry,
    entry_sha256,
    is_closed,
    new_entry,
    outcome_of,
)
from casebook.cases.tables import case_entry, case_event, case_file, case_incident, case_media
from casebook.incidents.database import Database
from casebook.portions import portions
from casebook.tables import UtcDateTime
from contract.errors import InvalidInput
from contract.event_chain import payload_sha256

SAME_VIEW = timedelta(minutes=10)  # a reload, or the way back from a form, is no second look at a case


class Cases:
    """Repository of cases, for any number of threads and processes.

    Every method raises ``StoreUnavailable`` if the database does not answer or rejects the statement.
    """

    def __init__(
        self, database: Database, options: CaseOptions | None = None, stations: Collection[str] | None = None
    ) -> None:
        """Use the casebook's database, which the caller closes.

        Args:
            database: A database with the casebook's tables.
            options: Deadlines; None: those of the law.
            stations: Only cases with a capture of one of these stations exist for the caller; None: all cases do.
        """
        self._database = database
        self._stations = stations
        self.options = options or CaseOptions()

    def open(self, change: Change, events: Sequence[HeldEvent], by: str, at: datetime, year: int) -> CaseFile:
        """Open a case with the captures it is about, and return it with its number.

        Args:
            change: The step "opened" with kind, area, title, text and incidents.
            events: Captures, of which the case keeps message and deployment.
            by: Who opens it.
            at: When, UTC.
            year: Local year, the first part of the number.

        Raises:
            CaseRefused: a value is missing or out of its bounds, or the caller would not see the case.
        """
        if self._stations is not None and not any(one.event.station in self._stations for one in events):
            raise CaseRefused(
                "records", "a case of somebody who sees only some stations needs a capture of one of them"
            )
        change = msgspec.structs.replace(change, events=tuple(_linked(events)))
        check_change(change, ())
        with self._database.exclusive() as connection:
            prefix = f"{year:04d}-LA-"
            numbers = connection.execute(select(case_file.c.number).where(case_file.c.number.startswith(prefix)))
            serial = 1 + max((int(number.removeprefix(prefix)) for number in numbers.scalars()), default=0)
            number = f"{prefix}{serial:04d}"
            entry = new_entry(change, number, 1, by, at, FIRST_PREVIOUS)
            row = {"number": number, "kind": change.kind, "area": change.area, "title": change.title, "opened_at": at}
            connection.execute(case_file.insert().values(row | self._summary([entry]) | {"entries": 1, "version": 1}))
            self._insert(connection, entry, events)
            return case_of_row(
                connection.execute(select(case_file).where(case_file.c.number == number)).mappings().one()
            )

    def add(
        self,
        number: str,
        change: Change,
        by: str,
        at: datetime,
        seen: int | None = None,
        events: Sequence[HeldEvent] = (),
    ) -> Entry:
        """Add an entry to a case.

        Args:
            number: Number of the case.
            change: What was done.
            by: Who did it.
            at: When, UTC.
            seen: ``CaseFile.version`` that the person saw; None: the entry is added whatever others did.
            events: Captures to link; those that the case has are left out.

        Raises:
            CaseRefused: there is no such case, or the step may not follow.
            CaseConflict: somebody else has changed the case since.
        """
        with self._database.begin() as connection:
            position, version = self._take_place(connection, number)
            try:
                known = self._read(connection, number, case_entry.c.step.not_in(ACCESS))
            except InvalidInput as error:
                raise CaseRefused("unreadable", f"case {number}: {error}") from error
            if seen is not None and seen != version:
                raise CaseConflict([one for one in known if one.number > seen])
            new = self._not_linked(connection, number, events)
            change = msgspec.structs.replace(change, events=tuple(_linked(new)))
            if change.step == "linked" and not (change.events or change.incidents):
                raise CaseRefused("linked", "step 'linked' needs captures or incidents that the case does not have yet")
            check_change(change, known)
            entry = new_entry(change, number, position, by, at, self._last_hash(connection, number))
            self._insert(connection, entry, new)
            values = self._summary([*known, entry]) | {"version": position}
            connection.execute(update(case_file).where(case_file.c.number == number).values(values))
        return entry

    def record_access(self, number: str, step: Step, by: str, at: datetime, text: str = "") -> Entry | None:
        """Add a view or an export to the custody log; return None for a view soon after another by the same person.

        Raises:
            CaseRefused: there is no such case, or the step is no access.
        """
        if step not in ACCESS:
            raise CaseRefused("unknown", f"step {step!r}: expected one of {', '.join(ACCESS)}")
        with self._database.begin() as connection:
            if step == "viewed":
                query = select(func.max(case_entry.c.at)).where(
                    case_entry.c.case_number == number, case_entry.c.step == step, case_entry.c.actor == by
                )
                last = connection.execute(query).scalar()
                if last is not None and timedelta(0) <= at - last < SAME_VIEW:
                    return None
            position, _ = self._take_place(connection, number)
            entry = new_entry(
                Change(step=step, text=text), number, position, by, at, self._last_hash(connection, number)
            )
            self._insert(connection, entry, ())
        return entry

    def case(self, number: str) -> CaseFile | None:
        """Return the case with a number; None if there is none."""
        with self._database.begin() as connection:
            query = select(case_file).where(case_file.c.number == number, self._visible(case_file.c.number))
            row = connection.execute(query).mappings().first()
        return None if row is None else case_of_row(row)

    def listing(
        self,
        state: State,
        limit: int,
        after: tuple[datetime, str] | None = None,
        overdue_at: datetime | None = None,
    ) -> list[CaseFile]:
        """List cases: open ones by their next deadline, closed ones by their last change, newest first.

        Args:
            state: Only cases in this state.
            limit: Maximum number of cases.
            after: Pagination cursor: the ``key`` of the previous page's last case.
            overdue_at: Only cases whose next deadline ends before this time.
        """
        is_open = state == "open"
        due_at = func.coalesce(case_file.c.due_at, literal(NEVER, UtcDateTime))
        key = (due_at if is_open else case_file.c.changed_at, case_file.c.number)
        query = select(case_file).where(case_file.c.state == state, self._visible(case_file.c.number))
        if overdue_at is not None:
            query = query.where(case_file.c.due_at < overdue_at)
        if after is not None:
            cursor = tuple_(*after, types=[UtcDateTime(), case_file.c.number.type])
            query = query.where(tuple_(*key) > cursor if is_open else tuple_(*key) < cursor)
        query = query.order_by(*(key if is_open else (part.desc() for part in key))).limit(limit)
        with self._database.begin() as connection:
            return [case_of_row(row) for row in connection.execute(query).mappings()]

    def entries(self, number: str) -> list[Entry]:
        """Return the entries of a case in the order of recording, views and exports included."""
        with self._database.begin() as connection:
            return self._read(connection, number)

    def encoded_entries(self, number: str) -> list[bytes]:
        """Return the entries as they are stored, each of which the next names by its hash."""
        query = select(case_entry.c.encoded).where(case_entry.c.case_number == number).order_by(case_entry.c.number)
        with self._database.begin() as connection:
            return [encoded.encode() for encoded in connection.execute(query).scalars()]

    def deadlines(self, entries: Sequence[Entry]) -> list[Deadline]:
        """Return the deadlines of a case that have begun."""
        return deadlines_of([(one.step, one.at) for one in entries], self.options.deadlines)

    def events_of(self, number: str) -> list[HeldEvent]:
        """Return the captures of a case in the order of their ids."""
        query = select(case_event).where(case_event.c.case_number == number).order_by(case_event.c.event_id)
        with self._database.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [HeldEvent(row["payload"].encode(), row["deployment"].encode()) for row in rows]

    def incidents_of(self, number: str) -> list[str]:
        """Return the ids of the incidents of a case, sorted."""
        query = select(case_incident.c.incident_id).where(case_incident.c.case_number == number)
        with self._database.begin() as connection:
            return sorted(connection.execute(query).scalars())

    def numbers_of(self, event_ids: Iterable[str] = (), incident_ids: Iterable[str] = ()) -> list[str]:
        """Return the numbers of the cases that any of the given captures or incidents belong to, sorted."""
        found: set[str] = set()
        with self._database.begin() as connection:
            for column, ids in ((case_event.c.event_id, event_ids), (case_incident.c.incident_id, incident_ids)):
                for some in portions(ids):
                    number = column.table.c.case_number
                    query = select(number).where(column.in_(some), self._visible(number))
                    found.update(connection.execute(query).scalars())
        return sorted(found)

    def _visible(self, number: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a case exists for the caller."""
        if self._stations is None:
            return true()
        return number.in_(select(case_event.c.case_number).where(case_event.c.station.in_(sorted(self._stations))))

    def _take_place(self, connection: Connection, number: str) -> tuple[int, int]:
        """Lock a case and return the number of its next entry, and its version."""
        place = update(case_file).where(case_file.c.number == number, self._visible(case_file.c.number))
        query = place.values(entries=case_file.c.entries + 1)
        row = connection.execute(query.returning(case_file.c.entries, case_file.c.version)).first()
        if row is None:
            raise CaseRefused("missing", f"case {number[:40]!r}: there is none of this number")
        return int(row[0]), int(row[1])

    def _read(self, connection: Connection, number: str, *conditions: Any) -> list[Entry]:
        query = select(case_entry.c.encoded).where(case_entry.c.case_number == number, *conditions)
        return [decode_entry(one.encode()) for one in connection.execute(query.order_by(case_entry.c.number)).scalars()]

    def _last_hash(self, connection: Connection, number: str) -> str:
        query = select(case_entry.c.encoded).where(case_entry.c.case_number == number)
        encoded: str = connection.execute(query.order_by(case_entry.c.number.desc()).limit(1)).scalar_one()
        return entry_sha256(encoded.encode())

    def _not_linked(self, connection: Connection, number: str, events: Sequence[HeldEvent]) -> list[HeldEvent]:
        query = select(case_event.c.event_id).where(case_event.c.case_number == number)
        known = set(connection.execute(query).scalars()) if events else set()
        return [one for one in events if one.event.event_id not in known]

    def _insert(self, connection: Connection, entry: Entry, events: Sequence[HeldEvent]) -> None:
        row = {"case_number": entry.case, "number": entry.number, "step": entry.step, "actor": entry.actor}
        connection.execute(case_entry.insert().values(row | {"at": entry.at, "encoded": encode_entry(entry).decode()}))
        held = [
            {
                "event_id": one.event.event_id,
                "station": one.event.station,
                "payload": one.payload.decode(),
                "deployment": one.deployment.decode(),
            }
            for one in events
        ]
        media = [{"sha256": file.sha256} for one in events for file in one.event.media]
        incidents = [{"incident_id": one} for one in entry.incidents]
        tables: tuple[tuple[Table, list[dict[str, str]]], ...] = (
            (case_event, held),
            (case_media, media),
            (case_incident, incidents),
        )
        for table, rows in tables:
            self._database.add(connection, table, [{"case_number": entry.case} | values for values in rows])

    def _summary(self, entries: Sequence[Entry]) -> dict[str, Any]:
        """Return the columns of the list that follow from the entries of a case, of which none is an access."""
        closed = is_closed(entries)
        due = next_due(self.deadlines(entries))
        team = next((one.team for one in reversed(entries) if one.step == "assigned"), "")
        return {
            "team": team,
            "step": next(one.step for one in reversed(entries) if one.step not in ("comment", "linked")),
            "outcome": outcome_of(entries) or "",
            "state": "closed" if closed else "open",
            "changed_at": entries[-1].at,
            "due_at": due.due_at if due else None,
            "due_name": due.rule.name if due else "",
        }


def _linked(events: Iterable[HeldEvent]) -> Iterable[LinkedEvent]:
    for one in events:
        try:
            event_id = one.event.event_id
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"not the message of a capture: {error}") from error
        yield LinkedEvent(event_id=event_id, sha256=payload_sha256(one.payload))
