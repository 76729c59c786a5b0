"""Reads incidents back for people: what happened in each, who was told, and whether anything waits for a decision."""

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
    """One happening, and for a station's trouble when it was over."""

    occurrence: Occurrence
    over_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one alert fares on one way to people; ``state`` is "waiting", "sent" or "given up"."""

    notifier: str
    state: str
    attempts: int
    next_at: datetime
    ended_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert, and its deliveries."""

    alert: Alert
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Attributes:
        id: Its name for ever.
        started_at: The first thing in it, UTC.
        ended_at: The last.
        severity: The highest in it.
        confidence: The highest in it.
        late: Nothing in it was news when it arrived.
        waits: Whether a flag in it is open, or a station's trouble not over.
        happenings: What happened, in order of time.
        alerts: What people were told, in order.
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
        """What kinds of things, each once, in the order they came."""
        return tuple(dict.fromkeys(one.occurrence.kind for one in self.occurrences))

    @property
    def stations(self) -> tuple[str, ...]:
        """Where, each once."""
        return tuple(dict.fromkeys(one.occurrence.station for one in self.occurrences))

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The captures in it, each once."""
        return tuple(
            dict.fromkeys(one.occurrence.subject for one in self.occurrences if one.occurrence.source != "health")
        )

    @property
    def key(self) -> tuple[datetime, str]:
        """Where it sorts; pages go on after it."""
        return self.ended_at, self.id


class IncidentReader:
    """Lists incidents. Every method raises ``StoreUnavailable`` where the database did not answer."""

    def __init__(self, database: Database) -> None:
        """Use a database that has the tables."""
        self._database = database

    def incidents(
        self, open_only: bool = True, limit: int = 20, after: tuple[datetime, str] | None = None
    ) -> list[Incident]:
        """List incidents, the newest first, going on after the one with this ``key``."""
        query = select(incident).order_by(incident.c.ended_at.desc(), incident.c.id.desc()).limit(limit)
        if open_only:
            query = query.where(_is_open())
        if after is not None:
            earlier = and_(incident.c.ended_at == after[0], incident.c.id < after[1])
            query = query.where(or_(incident.c.ended_at < after[0], earlier))
        return self._read(query)

    def incident(self, incident_id: str) -> Incident | None:
        """Find one incident."""
        found = self._read(select(incident).where(incident.c.id == incident_id))
        return found[0] if found else None

    def incidents_by_id(self, incident_ids: Iterable[str]) -> list[Incident]:
        """Find incidents by their names, in no order."""
        return self._read(select(incident).where(incident.c.id.in_(list(incident_ids))))

    def incident_ids_of(self, event_ids: Iterable[str]) -> dict[str, str]:
        """Tell which incident each event is in; events in none are left out."""
        wanted = list(event_ids)
        found: dict[str, str] = {}
        with self._database.begin() as connection:
            for start in range(0, len(wanted), 500):
                ids = wanted[start : start + 500]
                query = select(occurrence.c.subject, occurrence.c.incident_id).where(occurrence.c.subject.in_(ids))
                found |= {subject: home for subject, home in connection.execute(query)}  # noqa: C416, rows are no pairs
        return found

    def resolve_station_problems(self, incident_id: str, at: datetime) -> int:
        """Note that a person has seen to the stations in an incident; returns how many troubles that ended."""
        with self._database.begin() as connection:
            troubles = and_(
                occurrence.c.incident_id == incident_id,
                occurrence.c.source == "health",
                occurrence.c.over_at.is_(None),
            )
            return connection.execute(update(occurrence).where(troubles).values(over_at=at)).rowcount

    def _read(self, query: Any) -> list[Incident]:
        with self._database.begin() as connection:
            rows = connection.execute(query.add_columns(_is_open().label("is_open"))).mappings().all()
            ids = [row["id"] for row in rows]
            inside = connection.execute(
                select(occurrence)
                .where(occurrence.c.incident_id.in_(ids))
                .order_by(occurrence.c.at, occurrence.c.subject)
            ).mappings()
            members = _grouped(inside, "incident_id")
            alerts = connection.execute(
                select(alert).where(alert.c.incident_id.in_(ids)).order_by(alert.c.raised_at, alert.c.id)
            ).mappings()
            told = _grouped(alerts, "incident_id")
            sent = [row["id"] for rows in told.values() for row in rows]
            ways = _grouped(
                connection.execute(
                    select(delivery).where(delivery.c.alert_id.in_(sent)).order_by(delivery.c.notifier)
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
                alerts=tuple(_sent(one, ways) for one in told.get(row["id"], ())),
            )
            for row in rows
        ]


def _is_open() -> Any:
    open_flag = exists().where(flag.c.event_id == occurrence.c.subject, flag.c.state == "open")
    trouble = and_(occurrence.c.source == "health", occurrence.c.over_at.is_(None))
    return exists().where(occurrence.c.incident_id == incident.c.id, or_(open_flag, trouble))


def _sent(row: Mapping[str, Any], ways: Mapping[str, Sequence[Mapping[str, Any]]]) -> SentAlert:
    return SentAlert(
        Alert(**{field.name: row[field.name] for field in fields(Alert)}),
        tuple(
            Delivery(**{field.name: one[field.name] for field in fields(Delivery)}) for one in ways.get(row["id"], ())
        ),
    )


def _grouped(rows: Iterable[Any], name: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found
