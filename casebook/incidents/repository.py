"""Keeps incidents: joins what happens to the one it belongs to, and raises alerts in the same breath."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update
from uuid_utils import uuid7

from casebook.incidents.alert_policy import Alerted, AlertPolicy, Cause, cause_of_alert, cooling_since
from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.occurrence import IncidentOptions, Occurrence, are_near
from casebook.incidents.tables import alert, delivery, incident, occurrence
from contract.severity import Severity, severity_rank


@dataclass(frozen=True, slots=True)
class Alert:
    """Something people are told.

    Attributes:
        id: Of the alert.
        incident_id: What it is about.
        subject: The capture (or the station's trouble) that gave rise to it.
        cause: Why now.
        kind: Of what.
        station: Where.
        severity: How soon it wants eyes.
        raised_at: When, UTC.
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
    """What happened, together with what people were told of it; safe to use from several threads and processes.

    Every method raises ``StoreUnavailable`` where the database did not answer or did not take it.
    """

    def __init__(
        self, database: Database, options: IncidentOptions, policy: AlertPolicy, notifiers: Sequence[str] = ()
    ) -> None:
        """Use a database.

        Args:
            database: That has the tables.
            options: What is one incident.
            policy: What is worth an alert.
            notifiers: By which ways each alert goes out.
        """
        self._database = database
        self._options = options
        self._policy = policy
        self._notifiers = tuple(notifiers)

    def record(self, occurrences: Iterable[Occurrence]) -> list[Alert]:
        """Keep what happened, each in its incident, and queue the alerts it is worth.

        Taking the same again changes nothing and alerts nobody.
        """
        waiting = sorted(occurrences, key=lambda one: (one.at, one.subject, one.kind))
        if not waiting:
            return []
        with self._database.exclusive() as connection:
            found = (self._record(connection, one) for one in waiting)
            return [raised for raised in found if raised is not None]

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
            if not _adds(one, known):
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
        """Find the incident it belongs to, the nearest in time; open one where there is none."""
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
        opened = str(uuid7())
        values = {
            "id": opened,
            "started_at": one.at,
            "ended_at": one.at,
            "updated_at": one.received_at,
            "severity": one.severity,
            "confidence": one.confidence,
            "told_kinds": [],
            "late": True,
        }
        connection.execute(incident.insert().values(values))
        return opened

    def _update_incident(self, connection: Connection, incident_id: str, one: Occurrence) -> Alert | None:
        """Bring the incident up to what has joined it, and raise an alert where it is worth one."""
        row = connection.execute(select(incident).where(incident.c.id == incident_id)).mappings().one()
        told = Alerted(row["told_severity"], frozenset(row["told_kinds"]))
        cause = cause_of_alert(told, one, self._cooling(connection, one), self._policy)
        values: dict[str, Any] = {
            "started_at": min(row["started_at"], one.at),
            "ended_at": max(row["ended_at"], one.at),
            "updated_at": max(row["updated_at"], one.received_at),
            "severity": max(row["severity"], one.severity, key=severity_rank),
            "confidence": max(row["confidence"], one.confidence),
            "late": row["late"] and one.late,
        }
        if cause is not None:
            values["told_severity"] = max(told.severity or one.severity, one.severity, key=severity_rank)
            values["told_kinds"] = sorted(told.kinds | {one.kind})
        connection.execute(update(incident).where(incident.c.id == incident_id).values(values))
        return None if cause is None else self._raise(connection, incident_id, one, cause)

    def _cooling(self, connection: Connection, one: Occurrence) -> dict[str, Severity]:
        since = cooling_since(one.received_at, self._policy)
        cooling: dict[str, Severity] = {}
        for kind, severity in connection.execute(
            select(alert.c.kind, alert.c.severity).where(alert.c.station == one.station, alert.c.raised_at > since)
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


def _adds(one: Occurrence, known: Any) -> bool:
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
    """Read a happening back from its row."""
    names = ("subject", "kind", "source", "station", "at", "received_at", "severity", "confidence", "late")
    return Occurrence(
        **{name: row[name] for name in names},
        location=place_of(row),
        reasons=tuple(row["reasons"]),
        rules=tuple(row["rules"]),
    )
