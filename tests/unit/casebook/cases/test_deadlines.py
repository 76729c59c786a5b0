"""Deadlines of a case by the law, and by settings."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from casebook.cases.deadlines import LEGAL_DEADLINES, CaseOptions, DeadlineRule, deadlines_of, next_due
from casebook.cases.entry import Step

START = datetime(2026, 11, 25, 15, 58, tzinfo=UTC)
DAY = timedelta(days=1)


def after(days: float) -> datetime:
    return START + days * DAY


@pytest.mark.parametrize(
    ("step", "name", "days", "met_by"),
    [
        ("opened", "penalty-decision", 90, "decided"),
        ("evidence_registered", "registered-evidence", 7, "evidence_decided"),
        ("decided", "service", 7, "served"),
        ("transfer_reported", "transfer-approval", 3, "transfer_refused"),
        ("transfer_approved", "hand-over", 1, "handed_over"),
        ("handed_over", "police-answer", 3, "police_answered"),
    ],
)
def test_the_law_sets_the_deadlines(step: Step, name: str, days: int, met_by: Step) -> None:
    (running,) = deadlines_of([(step, START)], LEGAL_DEADLINES)
    assert (running.rule.name, running.due_at, running.met_at) == (name, after(days), None)
    assert running.urgency(after(0)) is None
    assert running.urgency(after(days)) == "near"
    assert running.urgency(after(days) + timedelta(seconds=1)) == "passed"
    found = deadlines_of([(step, START), (met_by, after(0.5))], LEGAL_DEADLINES)
    met = next(one for one in found if one.rule.name == name)
    assert (met.met_at, met.urgency(after(1000))) == (after(0.5), None)


def test_a_closed_case_has_no_running_deadline_until_it_is_reopened() -> None:
    steps: list[tuple[Step, datetime]] = [("opened", START), ("closed", after(1))]
    assert next_due(deadlines_of(steps, LEGAL_DEADLINES)) is None
    again = next_due(deadlines_of([*steps, ("reopened", after(2))], LEGAL_DEADLINES))
    assert again is not None and again.due_at == after(90)


def test_the_latest_step_counts_where_it_was_done_twice() -> None:
    steps: list[tuple[Step, datetime]] = [
        ("evidence_registered", after(0)),
        ("evidence_decided", after(1)),
        ("evidence_registered", after(2)),
    ]
    (running,) = deadlines_of(steps, LEGAL_DEADLINES)
    assert (running.due_at, running.met_at) == (after(9), None)


def test_the_deadline_that_ends_first_comes_first() -> None:
    steps: list[tuple[Step, datetime]] = [("opened", after(0)), ("transfer_reported", after(1))]
    found = deadlines_of(steps, LEGAL_DEADLINES)
    assert [one.rule.name for one in found] == ["transfer-approval", "penalty-decision"]
    assert next_due(found) == found[0]


def test_settings_replace_the_deadlines_of_the_law() -> None:
    values = {"deadlines": [{"name": "look", "start": "opened", "ends": ["on_site"], "hours": 2}]}
    options = msgspec.convert(values, CaseOptions)
    (running,) = deadlines_of([("opened", START)], options.deadlines)
    assert running.due_at == START + timedelta(hours=2)
    with pytest.raises(msgspec.ValidationError, match="share a name"):
        msgspec.convert({"deadlines": values["deadlines"] * 2}, CaseOptions)
    with pytest.raises(ValueError, match="different steps"):
        DeadlineRule(name="look", start="opened", ends=("opened",), hours=2)
