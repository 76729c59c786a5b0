"""Read access to incidents, with their occurrences, alerts and alert deliveries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true, tuple_, update

from casebook.incidents.database import Database
from casebook.incidents.occurrence import Occurrence
from casebook.incidents.repository import Alert, occurrence_of_row
from casebook.incidents.tables import alert, delivery, incident, incident_station, occurrence
from casebook.portions import portions
from casebook.tables import flag
from contract.severity import Severity


@dataclass(frozen=True, slots=True)
class IncidentMember:
    """An occurrence in an incident; for a problem of a station, also the time at which the problem ended."""

    occurrence: Occurrence
    over_at: datetime | None

    @property
    def key(self) -> tuple[datetime, str, str]:
        """Pagination cursor in the list of an incident's occurrences."""
        return self.occurrence.at, self.occurrence.subject, self.occurrence.kind


@dataclass(frozen=True, slots=True)
class Delivery:
    """State of the delivery of one alert by one notifier: "waiting", "sent" or "given up"."""

    notifier: str
    state: str
    attempts: int
    next_at: datetime
    ended_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert and its delivery by each notifier."""

    alert: Alert
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """Totals of an incident; its occurrences and alerts are read page by page.

    Attributes:
        id: Permanent id.
        started_at: Time of the first occurrence, UTC.
        ended_at: Time of the last occurrence, UTC.
        severity: Highest severity of the occurrences.
        confidence: Highest confidence of the occurrences.
        late: Whether all occurrences arrived late.
        is_open: Whether a flag is open or a problem of a station continues.
        severities: By kind, the highest severity of its occurrences; kinds in order of their first occurrence, at most
            ``casebook.incidents.grouping.MAX_KINDS``.
        stations: Stations in order of their first occurrence.
        occurrence_count: Number of occurrences.
        capture_count: Number of captures among them.
        alert_count: Number of alerts.
    """

    id: str
    started_at: datetime
    ended_at: datetime
    severity: Severity
    confidence: float
    late: bool
    is_open: bool
    severities: Mapping[str, Severity]
    stations: tuple[str, ...]
    occurrence_count: int
    capture_count: int
    alert_count: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the occurrences in the incident, without duplicates, in order of time."""
        return tuple(self.severities)

    @property
    def key(self) -> tuple[datetime, str]:
        """Pagination cursor in the list of incidents."""
        return self.ended_at, self.id


@dataclass(frozen=True, slots=True)
class Memberships:
    """Incident ids of events by event id, without events that are in no incident, and the events that arrived late."""

    incident_ids: Mapping[str, str]
    late_events: frozenset[str]


class IncidentReader:
    """Read access to incidents; every method raises ``StoreUnavailable`` if the database does not answer.

    The cost of a method depends on its limit, not on the number of occurrences in an incident.

    A reader for some stations knows only incidents with an occurrence at one of them, and of these the occurrences at
    these stations; totals of an incident, such as its severity and its number of captures, are of all stations.
    """

    def __init__(self, database: Database, visible: frozenset[str] | None = None) -> None:
        """Create the reader for a database that contains the incident tables.

        Args:
            database: The casebook's database.
            visible: Stations that may be seen; None: all.
        """
        self._database = database
        self._visible = visible

    def incidents(
        self, open_only: bool = True, limit: int = 20, after: tuple[datetime, str] | None = None
    ) -> list[Incident]:
        """List incidents, newest first; ``after`` is the ``key`` of the previous page's last incident."""
        query = select(incident).order_by(incident.c.ended_at.desc(), incident.c.id.desc()).limit(limit)
        if open_only:
            query = query.where(_is_open())
        if after is not None:
            earlier = and_(incident.c.ended_at == after[0], incident.c.id < after[1])
            query = query.where(or_(incident.c.ended_at < after[0], earlier))
        return self._read(query)

    def station_problems(self, limit: int = 10) -> list[Incident]:
        """List the newest incidents that have no captures, and so no card, and an unresolved problem of a station."""
        query = select(incident).order_by(incident.c.ended_at.desc(), incident.c.id.desc()).limit(limit)
        unresolved = select(occurrence.c.incident_id).where(_unresolved())
        return self._read(query.where(incident.c.captures == 0, incident.c.id.in_(unresolved)))

    def incident(self, incident_id: str) -> Incident | None:
        """Return the incident with an id, or None if there is no such incident."""
        found = self._read(select(incident).where(incident.c.id == incident_id))
        return found[0] if found else None

    def incidents_by_id(self, incident_ids: Iterable[str]) -> list[Incident]:
        """Return the incidents with the given ids, in no particular order."""
        return self._read(select(incident).where(incident.c.id.in_(list(incident_ids))))

    def incident_ids_of(self, event_ids: Iterable[str]) -> Mapping[str, str]:
        """Return the incident id of each event by event id, without events that are in no incident."""
        return self.memberships(event_ids).incident_ids

    def memberships(self, event_ids: Iterable[str]) -> Memberships:
        """Return the incidents of the given events, and which of the events arrived too late for an alert."""
        columns = (occurrence.c.subject, occurrence.c.incident_id, occurrence.c.late)
        incident_ids: dict[str, str] = {}
        late_events: set[str] = set()
        with self._database.begin() as connection:
            for ids in portions(event_ids):
                query = select(*columns).where(occurrence.c.subject.in_(ids))
                for event_id, incident_id, late in connection.execute(query):
                    incident_ids[event_id] = incident_id
                    if late:
                        late_events.add(event_id)
        return Memberships(incident_ids, frozenset(late_events))

    def members(
        self, incident_id: str, limit: int, after: tuple[datetime, str, str] | None = None
    ) -> list[IncidentMember]:
        """List occurrences of an incident in order of time; ``after`` is the ``key`` of the last one listed before."""
        order = (occurrence.c.at, occurrence.c.subject, occurrence.c.kind)
        mine = (occurrence.c.incident_id == incident_id, self._may_be_seen(occurrence.c.station))
        query = select(occurrence).where(*mine).order_by(*order).limit(limit)
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after, types=[column.type for column in order]))
        with self._database.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [IncidentMember(occurrence_of_row(row), row["over_at"]) for row in rows]

    def occurrences_of(self, subject: str) -> list[IncidentMember]:
        """List the occurrences of one event, or of one problem of a station."""
        query = select(occurrence).where(occurrence.c.subject == subject).order_by(occurrence.c.kind)
        with self._database.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [IncidentMember(occurrence_of_row(row), row["over_at"]) for row in rows]

    def alerts(self, incident_id: str, limit: int = 50) -> list[SentAlert]:
        """List the first alerts of an incident in order of time, with their deliveries."""
        query = select(alert).where(alert.c.incident_id == incident_id).order_by(alert.c.raised_at, alert.c.id)
        with self._database.begin() as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
            ids = [row["id"] for row in rows]
            deliveries = _grouped(
                connection.execute(
                    select(delivery).where(delivery.c.alert_id.in_(ids)).order_by(delivery.c.notifier)
                ).mappings(),
                "alert_id",
            )
        return [_sent(dict(row), deliveries) for row in rows]

    def has_unresolved_problem(self, incident_id: str) -> bool:
        """Return whether a problem of a station in the incident is neither over nor resolved by a person."""
        problem = (occurrence.c.incident_id == incident_id, _unresolved(), self._may_be_seen(occurrence.c.station))
        query = select(occurrence.c.subject).where(*problem).limit(1)
        with self._database.begin() as connection:
            return connection.execute(query).first() is not None

    def resolve_station_problems(self, incident_id: str, at: datetime) -> int:
        """Mark the open station problems in an incident as resolved by a person, and return the number of problems."""
        with self._database.begin() as connection:
            seen = self._may_be_seen(occurrence.c.station)
            open_problems = and_(occurrence.c.incident_id == incident_id, _unresolved(), seen)
            return connection.execute(update(occurrence).where(open_problems).values(over_at=at)).rowcount

    def _may_be_seen(self, station: ColumnElement[str]) -> ColumnElement[bool]:
        return true() if self._visible is None else station.in_(self._visible)

    def _read(self, query: Any) -> list[Incident]:
        if self._visible is not None:
            at_them = select(incident_station.c.incident_id).where(self._may_be_seen(incident_station.c.station))
            query = query.where(incident.c.id.in_(at_them))
        with self._database.begin() as connection:
            rows = connection.execute(query.add_columns(_is_open().label("is_open"))).mappings().all()
            ids = [row["id"] for row in rows]
            parts = _grouped(
                connection.execute(
                    select(incident_station)
                    .where(incident_station.c.incident_id.in_(ids), self._may_be_seen(incident_station.c.station))
                    .order_by(incident_station.c.first_at, incident_station.c.station)
                ).mappings(),
                "incident_id",
            )
            counting = select(alert.c.incident_id, func.count()).where(alert.c.incident_id.in_(ids))
            counted = connection.execute(counting.group_by(alert.c.incident_id)).all()
        alerts: dict[str, int] = {row[0]: row[1] for row in counted}
        return [
            Incident(
                **{name: row[name] for name in ("id", "started_at", "ended_at", "severity", "confidence", "late")},
                is_open=bool(row["is_open"]),
                severities={
                    kind: severity for kind, (severity, _) in sorted(row["kinds"].items(), key=lambda item: item[1][1])
                },
                stations=tuple(part["station"] for part in parts.get(row["id"], ())),
                occurrence_count=row["occurrences"],
                capture_count=row["captures"],
                alert_count=alerts.get(row["id"], 0),
            )
            for row in rows
        ]


def _is_open() -> Any:
    open_flag = exists().where(flag.c.event_id == occurrence.c.subject, flag.c.state == "open")
    open_problem = and_(occurrence.c.source == "health", occurrence.c.over_at.is_(None))
    return exists().where(occurrence.c.incident_id == incident.c.id, or_(open_flag, open_problem))


def _unresolved() -> Any:
    return and_(occurrence.c.source == "health", occurrence.c.over_at.is_(None))


def _sent(row: Mapping[str, Any], deliveries: Mapping[str, Sequence[Mapping[str, Any]]]) -> SentAlert:
    return SentAlert(
        Alert(**{field.name: row[field.name] for field in fields(Alert)}),
        tuple(
            Delivery(**{field.name: one[field.name] for field in fields(Delivery)})
            for one in deliveries.get(row["id"], ())
        ),
    )


def _grouped(rows: Iterable[Any], name: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found
