"""Read access to incidents, with their occurrences, alerts and alert deliveries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select, update

from casebook.incidents.database import Database
from casebook.incidents.occurrence import Occurrence
from casebook.incidents.repository import Alert, occurrence_of_row
from casebook.incidents.tables import alert, delivery, incident, occurrence
from casebook.tables import flag
from contract.severity import Severity


@dataclass(frozen=True, slots=True)
class IncidentMember:
    """An occurrence in an incident; for a problem of a station, also the time at which the problem ended."""

    occurrence: Occurrence
    over_at: datetime | None


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
    """An incident with its occurrences and alerts.

    Attributes:
        id: Permanent id.
        started_at: Time of the first occurrence, UTC.
        ended_at: Time of the last occurrence, UTC.
        severity: Highest severity of the occurrences.
        confidence: Highest confidence of the occurrences.
        late: Whether all occurrences arrived late.
        is_open: Whether a flag is open or a problem of a station continues.
        occurrences: Occurrences in order of time.
        alerts: Alerts in order of time.
    """

    id: str
    started_at: datetime
    ended_at: datetime
    severity: Severity
    confidence: float
    late: bool
    is_open: bool
    occurrences: tuple[IncidentMember, ...]
    alerts: tuple[SentAlert, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the occurrences in the incident, without duplicates, in order of time."""
        return tuple(dict.fromkeys(one.occurrence.kind for one in self.occurrences))

    @property
    def stations(self) -> tuple[str, ...]:
        """Names of the stations with an occurrence in the incident, without duplicates."""
        return tuple(dict.fromkeys(one.occurrence.station for one in self.occurrences))

    @property
    def event_ids(self) -> tuple[str, ...]:
        """Ids of the events with an occurrence in the incident, without duplicates."""
        return tuple(
            dict.fromkeys(one.occurrence.subject for one in self.occurrences if one.occurrence.source != "health")
        )

    @property
    def key(self) -> tuple[datetime, str]:
        """Pagination cursor in the list of incidents."""
        return self.ended_at, self.id


class IncidentReader:
    """Read access to incidents; every method raises ``StoreUnavailable`` if the database does not answer."""

    def __init__(self, database: Database) -> None:
        """Create the reader for a database that contains the incident tables."""
        self._database = database

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

    def incident(self, incident_id: str) -> Incident | None:
        """Return the incident with an id, or None if there is no such incident."""
        found = self._read(select(incident).where(incident.c.id == incident_id))
        return found[0] if found else None

    def incidents_by_id(self, incident_ids: Iterable[str]) -> list[Incident]:
        """Return the incidents with the given ids, in no particular order."""
        return self._read(select(incident).where(incident.c.id.in_(list(incident_ids))))

    def incident_ids_of(self, event_ids: Iterable[str]) -> dict[str, str]:
        """Return the incident id of each event by event id, without events that are in no incident."""
        wanted = list(event_ids)
        found: dict[str, str] = {}
        with self._database.begin() as connection:
            for start in range(0, len(wanted), 500):
                ids = wanted[start : start + 500]
                query = select(occurrence.c.subject, occurrence.c.incident_id).where(occurrence.c.subject.in_(ids))
                found |= {event_id: found_id for event_id, found_id in connection.execute(query)}  # noqa: C416, not pairs
        return found

    def resolve_station_problems(self, incident_id: str, at: datetime) -> int:
        """Mark the open station problems in an incident as resolved by a person, and return the number of problems."""
        with self._database.begin() as connection:
            open_problems = and_(
                occurrence.c.incident_id == incident_id,
                occurrence.c.source == "health",
                occurrence.c.over_at.is_(None),
            )
            return connection.execute(update(occurrence).where(open_problems).values(over_at=at)).rowcount

    def _read(self, query: Any) -> list[Incident]:
        with self._database.begin() as connection:
            rows = connection.execute(query.add_columns(_is_open().label("is_open"))).mappings().all()
            ids = [row["id"] for row in rows]
            occurrences = connection.execute(
                select(occurrence)
                .where(occurrence.c.incident_id.in_(ids))
                .order_by(occurrence.c.at, occurrence.c.subject)
            ).mappings()
            members = _grouped(occurrences, "incident_id")
            alerts = connection.execute(
                select(alert).where(alert.c.incident_id.in_(ids)).order_by(alert.c.raised_at, alert.c.id)
            ).mappings()
            alerts_by_incident = _grouped(alerts, "incident_id")
            alert_ids = [row["id"] for rows in alerts_by_incident.values() for row in rows]
            deliveries = _grouped(
                connection.execute(
                    select(delivery).where(delivery.c.alert_id.in_(alert_ids)).order_by(delivery.c.notifier)
                ).mappings(),
                "alert_id",
            )
        return [
            Incident(
                **{name: row[name] for name in ("id", "started_at", "ended_at", "severity", "confidence", "late")},
                is_open=bool(row["is_open"]),
                occurrences=tuple(
                    IncidentMember(occurrence_of_row(one), one["over_at"]) for one in members.get(row["id"], ())
                ),
                alerts=tuple(_sent(one, deliveries) for one in alerts_by_incident.get(row["id"], ())),
            )
            for row in rows
        ]


def _is_open() -> Any:
    open_flag = exists().where(flag.c.event_id == occurrence.c.subject, flag.c.state == "open")
    open_problem = and_(occurrence.c.source == "health", occurrence.c.over_at.is_(None))
    return exists().where(occurrence.c.incident_id == incident.c.id, or_(open_flag, open_problem))


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
