"""Deadlines of cases raise an alert when they are near and when they have passed, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from casebook.cases.deadlines import CaseOptions, DeadlineRule
from casebook.cases.entry import Change
from casebook.cases.reminders import CaseReminders
from casebook.cases.repository import Cases
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.alert_queue import AlertQueue, count_waiting
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.repository import Alert, IncidentRepository
from tests.cases import HOUR, NOW, opened_case

RULE = DeadlineRule(name="visit", start="opened", ends=("on_site",), hours=10, remind_hours=3)


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database, CaseOptions(deadlines=(RULE,)))


def told(alerts: list[Alert]) -> list[tuple[str, str, str, str]]:
    return [(one.subject, one.kind, one.cause, one.severity) for one in alerts]


def test_a_deadline_is_told_once_when_it_is_near_and_once_when_it_has_passed(database: Database, cases: Cases) -> None:
    number = opened_case(cases).number
    reminders = CaseReminders(database, cases, ["mail", "siren"])
    assert reminders.remind(NOW + 6 * HOUR) == []
    assert told(reminders.remind(NOW + 7 * HOUR)) == [(number, "visit", "near", "warning")]
    assert reminders.remind(NOW + 8 * HOUR) == []
    assert CaseReminders(database, cases, ["mail"]).remind(NOW + 9 * HOUR) == [], "nor after a restart"
    assert told(reminders.remind(NOW + 11 * HOUR)) == [(number, "visit", "passed", "urgent")]
    assert reminders.remind(NOW + 1000 * HOUR) == []
    assert count_waiting(database) == 4
    due = AlertQueue(database, "siren").due(NOW + 12 * HOUR)
    assert due is not None and (due.alert.subject, due.alert.cause) == (number, "passed")


def test_what_passed_while_the_server_was_off_is_told_as_passed_only(database: Database, cases: Cases) -> None:
    opened_case(cases)
    alerts = CaseReminders(database, cases, []).remind(NOW + 100 * HOUR)
    assert [one.cause for one in alerts] == ["passed"]


def test_a_met_deadline_and_a_closed_case_are_not_told(database: Database, cases: Cases) -> None:
    met, closed, reopened = (opened_case(cases).number for _ in range(3))
    cases.add(met, Change(step="on_site"), "Zhou", NOW + 11 * HOUR)
    for number in (closed, reopened):
        cases.add(number, Change(step="closed", outcome="unfounded"), "Zhou", NOW)
    cases.add(reopened, Change(step="reopened"), "Zhou", NOW)
    alerts = CaseReminders(database, cases, []).remind(NOW + 12 * HOUR)
    assert [one.subject for one in alerts] == [reopened]


def test_a_deadline_that_begins_again_is_told_again(database: Database) -> None:
    rule = DeadlineRule(name="answer", start="transfer_reported", ends=("transfer_refused",), hours=1)
    cases = Cases(database, CaseOptions(deadlines=(rule,)))
    number = opened_case(cases).number
    reminders = CaseReminders(database, cases, [])
    for hours in (0, 10):
        cases.add(number, Change(step="transfer_reported"), "Zhou", NOW + hours * HOUR)
        assert len(reminders.remind(NOW + (hours + 2) * HOUR)) == 1
        cases.add(number, Change(step="transfer_refused"), "Zhou", NOW + (hours + 3) * HOUR)


def test_two_servers_tell_it_once(database: Database, cases: Cases) -> None:
    for _ in range(5):
        opened_case(cases)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: CaseReminders(database, cases, []).remind(NOW + 11 * HOUR), range(4)))
    assert sum(map(len, found)) == 5


def test_other_settings_move_the_deadlines_of_open_cases(database: Database, cases: Cases) -> None:
    number = opened_case(cases).number
    later = Cases(
        database, CaseOptions(deadlines=(DeadlineRule(name="b", start="opened", ends=("closed",), hours=99),))
    )
    assert CaseReminders(database, later, []).remind(NOW + 11 * HOUR) == []
    case = later.case(number)
    assert case is not None and (case.due_name, case.due_at) == ("b", NOW + timedelta(hours=99))


def test_reminders_do_not_use_up_the_alerts_of_stations(database: Database, cases: Cases) -> None:
    for _ in range(5):
        opened_case(cases)
    policy = AlertPolicy(alerts_per_hour=4, cooldown_minutes=0)
    book = IncidentRepository(database, IncidentOptions(gap_minutes=0.01), policy, [])
    at = NOW + 11 * HOUR
    assert len(CaseReminders(database, cases, []).remind(at)) == 5

    def raised(minute: int) -> list[Alert]:
        later = at + timedelta(minutes=minute)
        return book.record([Occurrence(str(minute), "human", "vision", "ridge", later, later, None, "urgent", 0.9)])

    assert [alert.cause for minute in range(4) for alert in raised(minute)] == ["first"] * 4
