"""Reminders of deadlines: an alert when one is near, and another when it has passed, each once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from uuid_utils import uuid7

from casebook.cases.deadlines import Deadline, Urgency, deadlines_of, next_due
from casebook.cases.entry import ACCESS, Step
from casebook.cases.repository import Cases
from casebook.cases.tables import case_entry, case_file, case_reminder
from casebook.incidents.database import Database
from casebook.incidents.repository import Alert, insert_alert
from contract.severity import Severity

_SEVERITIES: dict[Urgency, Severity] = {"near": "warning", "passed": "urgent"}


class CaseReminders:
    """Queues alerts about deadlines of open cases; several processes may do so for one casebook."""

    def __init__(self, database: Database, cases: Cases, notifiers: Sequence[str]) -> None:
        """Use the casebook's database.

        Args:
            database: A database with the casebook's tables.
            cases: The cases, with the deadlines of the settings.
            notifiers: Names of the notifiers that deliver each alert.
        """
        self._database = database
        self._cases = cases
        self._notifiers = tuple(notifiers)

    def remind(self, now: datetime) -> list[Alert]:
        """Queue an alert for each deadline that has become near or has passed, and return the alerts.

        A deadline that passed while the server was off gets one alert. The list of cases follows changed settings.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        reminders: list[tuple[str, Deadline, Urgency]] = []
        for number, deadlines in self._open_deadlines().items():
            for one in deadlines:
                urgency = one.urgency(now)
                if urgency is not None:
                    reminders.append((number, one, urgency))
        new = self._not_sent(reminders)
        if not new:
            return []
        alerts = []
        with self._database.exclusive() as connection:
            for number, deadline, urgency in new:
                row = {"case_number": number, "deadline": deadline.rule.name, "started_at": deadline.started_at}
                row |= {"urgency": urgency, "reminded_at": now}
                if self._database.add(connection, case_reminder, [row]):
                    severity = _SEVERITIES[urgency]
                    raised = Alert(str(uuid7()), "", number, urgency, deadline.rule.name, "", severity, now)
                    insert_alert(connection, raised, self._notifiers)
                    alerts.append(raised)
        return alerts

    def _open_deadlines(self) -> dict[str, list[Deadline]]:
        """Return the deadlines of each open case, and correct in the list what other settings computed."""
        listed = (case_file.c.number, case_file.c.due_at, case_file.c.due_name)
        open_cases = select(*listed).where(case_file.c.state == "open")
        entries = (
            select(case_entry.c.case_number, case_entry.c.step, case_entry.c.at)
            .join(case_file, case_file.c.number == case_entry.c.case_number)
            .where(case_file.c.state == "open", case_entry.c.step.not_in(ACCESS))
            .order_by(case_entry.c.case_number, case_entry.c.number)
        )
        steps: dict[str, list[tuple[Step, datetime]]] = defaultdict(list)
        found: dict[str, list[Deadline]] = {}
        with self._database.begin() as connection:
            rows = connection.execute(open_cases).all()
            for number, step, at in connection.execute(entries):
                steps[number].append((step, at))
            for number, due_at, due_name in rows:
                found[number] = deadlines_of(steps[number], self._cases.options.deadlines)
                due = next_due(found[number])
                values = {"due_at": due.due_at if due else None, "due_name": due.rule.name if due else ""}
                if values != {"due_at": due_at, "due_name": due_name}:
                    # A step that is recorded at this moment computes the same columns anew.
                    same = (case_file.c.number == number, case_file.c.due_name == due_name)
                    connection.execute(update(case_file).where(*same).values(values))
        return found

    def _not_sent(self, reminders: Sequence[tuple[str, Deadline, Urgency]]) -> list[tuple[str, Deadline, Urgency]]:
        columns = (case_reminder.c.case_number, case_reminder.c.deadline, case_reminder.c.started_at)
        query = select(*columns, case_reminder.c.urgency)
        open_numbers = select(case_file.c.number).where(case_file.c.state == "open")
        with self._database.begin() as connection:
            rows = connection.execute(query.where(case_reminder.c.case_number.in_(open_numbers)))
            sent = {tuple(row) for row in rows}
        return [one for one in reminders if (one[0], one[1].rule.name, one[1].started_at, one[2]) not in sent]
