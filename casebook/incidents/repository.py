"""Repository that stores occurrences, assigns each one to an incident, and queues the alerts of incidents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update
from uuid_utils import uuid7

from casebook.incidents.alert_budget import CLOCK_STEP, within_budget
from casebook.incidents.alert_policy import Alerted, AlertPolicy, Cause, cause_of_alert, cooling_since
from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.occurrence import IncidentOptions, Occurrence, are_near
from casebook.incidents.tables import alert, delivery, incident, occurrence
from contract.severity import Severity, severity_rank


@dataclass(frozen=True, slots=True)
class Alert:
    """A notification about an incident, to be delivered by every notifier.

    Attributes:
        id: Id of the alert.
        incident_id: The incident.
        subject: The event, or the problem of a station, that caused it.
        cause: Why it was raised: the first alert of the incident, an escalation, or "held": further ones are held back.
        kind: Kind of the occurrence.
        station: Station of the occurrence.
        severity: Severity of the occurrence.
        raised_at: Time it was raised, UTC.
    """

    id: str
    incident_id: str
    subject: str
    cause: Cause
    kind: str
    station: str
    severity: Severity
    raised_at: datetime


class IncidentRepository:
    """Write access to incidents and their alerts, for any number of threads and processes.

    Every method raises ``StoreUnavailable`` if the database does not answer or rejects the statement.
    """

    def __init__(
        self, database: Database, options: IncidentOptions, policy: AlertPolicy, notifiers: Sequence[str] = ()
    ) -> None:
        """Create the repository for a database that contains the incident tables.

        Args:
            database: A database with the incident tables.
            options: Criteria for grouping occurrences into incidents.
            policy: Thresholds for raising an alert.
            notifiers: Names of the notifiers that deliver each alert.
        """
        self._database = database
        self._options = options
        self._policy = policy
        self._notifiers = tuple(notifiers)

    def record(self, occurrences: Iterable[Occurrence]) -> list[Alert]:
        """Store occurrences, assign each one to an incident, and return the alerts that the incidents raised.

        Idempotent: recording the same occurrence again changes nothing and raises no alert.
        """
        ordered = sorted(occurrences, key=lambda one: (one.at, one.subject, one.kind))
        if not ordered:
            return []
        with self._database.exclusive() as connection:
            alerts = (self._record(connection, one) for one in ordered)
            return [raised for raised in alerts if raised is not None]

    def _record(self, connection: Connection, one: Occurrence) -> Alert | None:
        known = (
            connection.execute(
                select(occurrence).where(occurrence.c.subject == one.subject, occurrence.c.kind == one.kind)
            )
            .mappings()
            .first()
        )
        if known is None:
            incident_id = self._find_or_open_incident(connection, one)
            self._database.add(connection, occurrence, [_row(one) | {"incident_id": incident_id}])
        else:
            if not _has_news(one, known):
                return None
            incident_id = known["incident_id"]
            worse = severity_rank(one.severity) > severity_rank(known["severity"])
            changed = {
                "severity": one.severity if worse else known["severity"],
                "confidence": max(one.confidence, known["confidence"]),
                "reasons": [dict(reason) for reason in one.reasons],
                "rules": list(one.rules),
            }
            connection.execute(
                update(occurrence)
                .where(occurrence.c.subject == one.subject, occurrence.c.kind == one.kind)
                .values(changed)
            )
        return self._update_incident(connection, incident_id, one)

    def _find_or_open_incident(self, connection: Connection, one: Occurrence) -> str:
        """Return the id of the incident nearest in time that matches an occurrence; open one if none matches."""
        around = self._options.gap
        rows = connection.execute(
            select(occurrence, incident.c.started_at, incident.c.ended_at)
            .join(incident, incident.c.id == occurrence.c.incident_id)
            .where(
                or_(
                    occurrence.c.at.between(one.at - around, one.at + around),
                    occurrence.c.subject.in_([*one.witnesses, one.subject]),
                )
            )
        ).mappings()
        fitting = [
            (abs(row["at"] - one.at), row["started_at"], row["incident_id"])
            for row in rows
            if (row["subject"] == one.subject or are_near(occurrence_of_row(row), one, self._options))
            and max(row["ended_at"], one.at) - min(row["started_at"], one.at) <= self._options.longest
        ]
        if fitting:
            return str(min(fitting)[2])
        incident_id = str(uuid7())
        values = {
            "id": incident_id,
            "started_at": one.at,
            "ended_at": one.at,
            "updated_at": one.received_at,
            "severity": one.severity,
            "confidence": one.confidence,
            "told_kinds": [],
            "late": True,
        }
        connection.execute(incident.insert().values(values))
        return incident_id

    def _update_incident(self, connection: Connection, incident_id: str, one: Occurrence) -> Alert | None:
        """Update an incident with a new occurrence, and queue an alert if the alert policy requires one."""
        row = connection.execute(select(incident).where(incident.c.id == incident_id)).mappings().one()
        alerted = Alerted(row["told_severity"], frozenset(row["told_kinds"]))
        cause = cause_of_alert(alerted, one, self._cooling(connection, one), self._policy)
        if cause is not None:
            cause = within_budget(connection, one, cause, self._policy)
        values: dict[str, Any] = {
            "started_at": min(row["started_at"], one.at),
            "ended_at": max(row["ended_at"], one.at),
            "updated_at": max(row["updated_at"], one.received_at),
            "severity": max(row["severity"], one.severity, key=severity_rank),
            "confidence": max(row["confidence"], one.confidence),
            "late": row["late"] and one.late,
        }
        if cause is not None and cause != "held":
            values["told_severity"] = max(alerted.severity or one.severity, one.severity, key=severity_rank)
            values["told_kinds"] = sorted(alerted.kinds | {one.kind})
        connection.execute(update(incident).where(incident.c.id == incident_id).values(values))
        return None if cause is None else self._raise(connection, incident_id, one, cause)

    def _cooling(self, connection: Connection, one: Occurrence) -> dict[str, Severity]:
        since = cooling_since(one.received_at, self._policy)
        cooling: dict[str, Severity] = {}
        for kind, severity in connection.execute(
            select(alert.c.kind, alert.c.severity).where(
                alert.c.station == one.station,
                alert.c.raised_at > since,
                alert.c.raised_at <= one.received_at + CLOCK_STEP,
                alert.c.cause != "held",
            )
        ):
            cooling[kind] = max(cooling.get(kind, severity), severity, key=severity_rank)
        return cooling

    def _raise(self, connection: Connection, incident_id: str, one: Occurrence, cause: Cause) -> Alert:
        raised = Alert(
            str(uuid7()), incident_id, one.subject, cause, one.kind, one.station, one.severity, one.received_at
        )
        connection.execute(alert.insert().values({field.name: getattr(raised, field.name) for field in fields(raised)}))
        for notifier in self._notifiers:
            values = {"alert_id": raised.id, "notifier": notifier, "state": "waiting", "attempts": 0}
            connection.execute(delivery.insert().values(values | {"next_at": raised.raised_at, "problem": ""}))
        return raised


def _has_news(one: Occurrence, known: Any) -> bool:
    return (
        severity_rank(one.severity) > severity_rank(known["severity"])
        or one.confidence > known["confidence"] + 1e-9
        or bool(set(one.rules) - set(known["rules"]))
    )


def _row(one: Occurrence) -> dict[str, Any]:
    names = ("subject", "kind", "source", "station", "at", "received_at", "severity", "confidence", "late")
    row = {name: getattr(one, name) for name in names} | place_columns(one.location)
    return row | {"reasons": [dict(reason) for reason in one.reasons], "rules": list(one.rules)}


def occurrence_of_row(row: Any) -> Occurrence:
    """Convert a row of the table ``occurrence`` to an ``Occurrence``."""
    names = ("subject", "kind", "source", "station", "at", "received_at", "severity", "confidence", "late")
    return Occurrence(
        **{name: row[name] for name in names},
        location=place_of(row),
        reasons=tuple(row["reasons"]),
        rules=tuple(row["rules"]),
    )
