"""Queue of undelivered alerts in the casebook database, which survives a restart or a crash."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update

from casebook.incidents.database import Database
from casebook.incidents.repository import Alert
from casebook.incidents.tables import alert, delivery

_AHEAD = timedelta(days=7)  # no pause between two delivery attempts is that long


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert that is due for delivery, and the number of delivery attempts so far."""

    alert: Alert
    attempts: int


class AlertQueue:
    """Queue of one notifier's undelivered alerts; methods raise ``StoreUnavailable`` if the database is unreachable."""

    def __init__(self, database: Database, notifier: str) -> None:
        """Open the queue of the named notifier in a database that contains the incident tables."""
        self._database = database
        self._notifier = notifier

    def due(self, now: datetime) -> DueAlert | None:
        """Return the most severe alert that is due for delivery; None if no alert is due.

        If several alerts are equally severe, the oldest is returned.
        """
        urgency = case({"urgent": 0, "warning": 1}, value=alert.c.severity, else_=2)
        query = (
            select(alert, delivery.c.attempts)
            .join(delivery, delivery.c.alert_id == alert.c.id)
            .where(
                delivery.c.notifier == self._notifier,
                delivery.c.state == "waiting",
                # A time so far ahead was set while the server's clock was wrong.
                or_(delivery.c.next_at <= now, delivery.c.next_at > now + _AHEAD),
            )
            .order_by(urgency, alert.c.raised_at, alert.c.id)
            .limit(1)
        )
        with self._database.begin() as connection:
            row = connection.execute(query).mappings().first()
        return (
            None
            if row is None
            else DueAlert(Alert(**{one.name: row[one.name] for one in fields(Alert)}), row["attempts"])
        )

    def claim(self, due: DueAlert, until: datetime) -> bool:
        """Claim an alert for delivery by this process; return False if another process claimed the alert first.

        The claim expires at ``until``. If the claiming process dies, another one may then deliver the alert again.
        """
        with self._database.begin() as connection:
            mine = and_(self._is(due), delivery.c.state == "waiting", delivery.c.attempts == due.attempts)
            query = update(delivery).where(mine).values(attempts=due.attempts + 1, next_at=until)
            return connection.execute(query).rowcount == 1

    def extend_claim(self, due: DueAlert, until: datetime) -> None:
        """Extend this process's claim on an alert until the time ``until``."""
        self._set(due, next_at=until)

    def mark_sent(self, due: DueAlert, at: datetime) -> None:
        """Mark an alert as delivered."""
        self._set(due, state="sent", ended_at=at, problem="")

    def postpone(self, due: DueAlert, until: datetime, problem: str) -> None:
        """Schedule the next delivery attempt after a failed attempt, and store the reason of the failure."""
        self._set(due, next_at=until, problem=problem)

    def release(self, due: DueAlert, until: datetime) -> None:
        """Release the claim on an alert without counting an attempt; the alert is due again at ``until``."""
        self._set(due, next_at=until, attempts=due.attempts)

    def abandon(self, due: DueAlert, at: datetime, problem: str) -> None:
        """Mark an alert as undeliverable, so that no further attempt is made, and store the reason."""
        self._set(due, state="given up", ended_at=at, problem=problem)

    def _set(self, due: DueAlert, **values: Any) -> None:
        with self._database.begin() as connection:
            connection.execute(update(delivery).where(self._is(due)).values(values))

    def _is(self, due: DueAlert) -> Any:
        return and_(delivery.c.alert_id == due.alert.id, delivery.c.notifier == self._notifier)


def count_waiting(database: Database) -> int:
    """Count the undelivered alerts of all notifiers."""
    with database.begin() as connection:
        query = select(func.count()).select_from(delivery).where(delivery.c.state == "waiting")
        return int(connection.execute(query).scalar_one())


def abandon_unknown_notifiers(database: Database, known: Sequence[str], now: datetime) -> int:
    """Abandon the undelivered alerts of notifiers that are not in ``known``, and return the number of alerts."""
    with database.begin() as connection:
        others = and_(delivery.c.state == "waiting", delivery.c.notifier.not_in(list(known)))
        gone = {"state": "given up", "ended_at": now, "problem": "this notifier is no longer configured"}
        return connection.execute(update(delivery).where(others).values(gone)).rowcount


def retry_delay(attempt: int, first_s: float, longest_s: float) -> timedelta:
    """Return the pause before the next delivery attempt: doubled with each attempt, at most ``longest_s``."""
    return timedelta(seconds=min(longest_s, first_s * 2 ** min(attempt, 30)))
