"""Repository that stores occurrences, assigns each one to an incident, and queues the alerts of incidents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from uuid_utils import uuid7

from casebook.incidents.alert_budget import within_budget
from casebook.incidents.alert_policy import Alerted, AlertPolicy, Cause, cause_of_alert, cooling_since
from casebook.incidents.database import Database, place_columns, place_of
from casebook.incidents.grouping import IncidentGrouping
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.tables import alert, delivery, occurrence
from casebook.portions import portions
from contract.severity import Severity, severity_rank


@dataclass(frozen=True, slots=True)
class Alert:
    """A notification about an incident or a deadline of a case, to be delivered by every notifier.

    Attributes:
        id: Id of the alert.
        incident_id: The incident; "" for a case.
        subject: The event, or the problem of a station, that caused it; the number of a case.
        cause: Why it was raised: the first alert of the incident, an escalation, or "held": further ones are held back;
            "near" or "passed" for a deadline.
        kind: Kind of the occurrence; the name of a deadline.
        station: Station of the occurrence; "" for a case.
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
            batch = _Batch(
                connection, IncidentGrouping(self._database, connection, self._options), _known(connection, ordered)
            )
            alerts = [raised for one in ordered if (raised := self._record(batch, one)) is not None]
            batch.grouping.flush()
        return alerts

    def _record(self, batch: "_Batch", one: Occurrence) -> Alert | None:
        same_subject = batch.known.setdefault(one.subject, {})
        known = same_subject.get(one.kind)
        row = _row(one)
        if known is None:
            siblings = {other["incident_id"]: other["at"] for other in same_subject.values()}
            incident_id = batch.grouping.find_or_open(one, siblings)
            new_capture = one.source != "health" and incident_id not in siblings
            batch.grouping.add(one, incident_id, row, new_capture)
            same_subject[one.kind] = row | {"incident_id": incident_id}
        else:
            if not _has_news(one, known):
                return None
            incident_id = known["incident_id"]
            worse = severity_rank(one.severity) > severity_rank(known["severity"])
            changed = {
                "severity": one.severity if worse else known["severity"],
                "confidence": max(one.confidence, known["confidence"]),
                "reasons": row["reasons"],
                "rules": row["rules"],
            }
            batch.grouping.flush()
            batch.connection.execute(
                update(occurrence)
                .where(occurrence.c.subject == one.subject, occurrence.c.kind == one.kind)
                .values(changed)
            )
            same_subject[one.kind] = {**known, **changed}
        return self._update_incident(batch, incident_id, one)

    def _update_incident(self, batch: "_Batch", incident_id: str, one: Occurrence) -> Alert | None:
        """Update an incident with a new occurrence, and queue an alert if the alert policy requires one."""
        row = batch.grouping.incident(incident_id)
        alerted = Alerted(row["told_severity"], frozenset(row["told_kinds"]))
        # Recent alerts can only prevent an alert, so they are read only for an occurrence that would raise one.
        cause = cause_of_alert(alerted, one, {}, self._policy)
        if cause is not None:
            cause = cause_of_alert(alerted, one, self._cooling(batch.connection, one), self._policy)
        if cause is not None:
            cause = within_budget(batch.connection, one, cause, self._policy)
        row["started_at"] = min(row["started_at"], one.at)
        row["ended_at"] = max(row["ended_at"], one.at)
        row["updated_at"] = max(row["updated_at"], one.received_at)
        row["severity"] = max(row["severity"], one.severity, key=severity_rank)
        row["confidence"] = max(row["confidence"], one.confidence)
        row["late"] = row["late"] and one.late
        if cause is not None and cause != "held":
            row["told_severity"] = max(alerted.severity or one.severity, one.severity, key=severity_rank)
            row["told_kinds"] = sorted(alerted.kinds | {one.kind})
        batch.grouping.note_kind(one, incident_id)
        batch.grouping.mark_changed(incident_id)
        return None if cause is None else self._raise(batch.connection, incident_id, one, cause)

    def _cooling(self, connection: Connection, one: Occurrence) -> dict[str, Severity]:
        since = cooling_since(one.received_at, self._policy)
        # An alert of the future was raised while the server's clock was wrong, and starts no cooldown.
        until = one.received_at + self._policy.cooldown
        cooling: dict[str, Severity] = {}
        for kind, severity in connection.execute(
            select(alert.c.kind, alert.c.severity).where(
                alert.c.station == one.station,
                alert.c.raised_at > since,
                alert.c.raised_at <= until,
                alert.c.cause != "held",
            )
        ):
            cooling[kind] = max(cooling.get(kind, severity), severity, key=severity_rank)
        return cooling

    def _raise(self, connection: Connection, incident_id: str, one: Occurrence, cause: Cause) -> Alert:
        raised = Alert(
            str(uuid7()), incident_id, one.subject, cause, one.kind, one.station, one.severity, one.received_at
        )
        insert_alert(connection, raised, self._notifiers)
        return raised


def insert_alert(connection: Connection, raised: Alert, notifiers: Iterable[str]) -> None:
    """Insert an alert and queue its delivery by each of the named notifiers."""
    connection.execute(alert.insert().values({field.name: getattr(raised, field.name) for field in fields(raised)}))
    for notifier in notifiers:
        values = {"alert_id": raised.id, "notifier": notifier, "state": "waiting", "attempts": 0}
        connection.execute(delivery.insert().values(values | {"next_at": raised.raised_at, "problem": ""}))


@dataclass(frozen=True, slots=True)
class _Batch:
    """One call of ``record``: its transaction, and the stored occurrences of its subjects by subject and kind."""

    connection: Connection
    grouping: IncidentGrouping
    known: dict[str, dict[str, Mapping[str, Any]]]


def _known(connection: Connection, occurrences: Sequence[Occurrence]) -> dict[str, dict[str, Mapping[str, Any]]]:
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for subjects in portions(one.subject for one in occurrences):
        query = select(occurrence).where(occurrence.c.subject.in_(subjects))
        for row in connection.execute(query).mappings():
            found.setdefault(row["subject"], {})[row["kind"]] = dict(row)
    return found


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
