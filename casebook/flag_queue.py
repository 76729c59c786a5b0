"""Events with open flags by severity and time, as the review queue lists them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select, true, tuple_

from casebook.flags import FlaggedEvent
from casebook.incidents.database import Database
from casebook.portions import portions
from casebook.tables import flag
from contract.severity import SEVERITIES, Severity, severity_rank


class FlagQueue:
    """Read access to events with open flags; every method raises ``StoreUnavailable`` if the database does not answer.

    An event is listed once, under the highest severity of its open flags.
    """

    def __init__(self, database: Database, visible: frozenset[str] | None = None) -> None:
        """Create the queue for a casebook database, of the stations that may be seen; None: all."""
        self._database = database
        self._visible = visible

    def events(
        self,
        severity: Severity,
        limit: int,
        after: tuple[datetime, str] | None = None,
        stations: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[FlaggedEvent]:
        """List events of one severity, newest first.

        Args:
            severity: Highest severity of the open flags.
            limit: Maximum number of events.
            after: Pagination cursor: the ``key`` of the last event of the previous page.
            stations: Accepted stations; empty: all.
            start: Only events at or after this time.
            end: Only events before this time.
        """
        query = select(flag.c.event_id, flag.c.at).distinct().where(*_of_severity(severity), self._may_be_seen())
        if stations:
            query = query.where(flag.c.station.in_(stations))
        if start is not None:
            query = query.where(flag.c.at >= start)
        if end is not None:
            query = query.where(flag.c.at < end)
        if after is not None:
            columns = (flag.c.at, flag.c.event_id)
            query = query.where(tuple_(*columns) < tuple_(*after, types=[one.type for one in columns]))
        query = query.order_by(flag.c.at.desc(), flag.c.event_id.desc()).limit(limit)
        return [FlaggedEvent(event_id, severity, at) for event_id, at in self._rows(query)]

    def count_open(self) -> int:
        """Return the number of open flags."""
        query = select(func.count()).select_from(flag).where(flag.c.state == "open", self._may_be_seen())
        return int(self._rows(query)[0][0])

    def severities_of(self, event_ids: Iterable[str]) -> dict[str, Severity]:
        """Return the highest severity of the open flags of events, by event id; without events that have none."""
        found: dict[str, Severity] = {}
        for ids in portions(event_ids):
            query = select(flag.c.event_id, flag.c.severity).where(flag.c.event_id.in_(ids), flag.c.state == "open")
            for event_id, severity in self._rows(query):
                found[event_id] = max(severity, found.get(event_id, severity), key=severity_rank)
        return found

    def all_event_ids(self) -> set[str]:
        """Return the ids of all events with open flags."""
        query = select(flag.c.event_id).where(flag.c.state == "open", self._may_be_seen())
        return {event_id for (event_id,) in self._rows(query)}

    def _may_be_seen(self) -> ColumnElement[bool]:
        return true() if self._visible is None else flag.c.station.in_(self._visible)

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._database.begin() as connection:
            return connection.execute(query).all()


def _of_severity(severity: Severity) -> tuple[ColumnElement[bool], ...]:
    worse = [name for name in SEVERITIES if severity_rank(name) > severity_rank(severity)]
    mine = and_(flag.c.state == "open", flag.c.severity == severity)
    if not worse:
        return (mine,)
    other = flag.alias()
    above = (other.c.event_id == flag.c.event_id, other.c.state == "open", other.c.severity.in_(worse))
    return mine, ~exists().where(*above)
