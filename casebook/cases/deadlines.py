"""Deadlines of a case: a period that begins with one step and ends with another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from casebook.cases.entry import Step
from contract.bounds import OptionalText

Urgency = Literal["near", "passed"]
_DAY_H = 24.0


class DeadlineRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deadline, in hours from the step that starts it.

    A law that says seven days counts working days, or begins on the next day; hours from the step end earlier, so that
    nobody is late who keeps to them.

    Attributes:
        name: Name of the deadline; pages and alerts translate those of ``LEGAL_DEADLINES`` and show others as they are.
        start: The step from which it runs; the latest counts.
        ends: Steps that meet it; closing the case always does.
        hours: Length.
        remind_hours: How long before its end it is near.
        source: The law or rule that sets it.
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    start: Step
    ends: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=20)]
    hours: Annotated[float, Meta(gt=0, le=10 * 366 * _DAY_H)]
    remind_hours: Annotated[float, Meta(ge=0, le=366 * _DAY_H)] = _DAY_H
    source: OptionalText = ""

    def __post_init__(self) -> None:
        if self.start in self.ends:
            raise ValueError(f"deadline {self.name!r} starts and ends with {self.start!r}: expected different steps")


# Sources: 行政处罚法 (2021) articles 56, 60, 61; 行政执法机关移送涉嫌犯罪案件的规定 (2020) articles 5 and 8.
LEGAL_DEADLINES = (
    DeadlineRule(
        name="registered-evidence",
        start="evidence_registered",
        ends=("evidence_decided",),
        hours=7 * _DAY_H,
        remind_hours=2 * _DAY_H,
        source="行政处罚法第56条",
    ),
    DeadlineRule(
        name="penalty-decision",
        start="opened",
        ends=("decided", "handed_over"),
        hours=90 * _DAY_H,
        remind_hours=10 * _DAY_H,
        source="行政处罚法第60条",
    ),
    DeadlineRule(
        name="service",
        start="decided",
        ends=("served",),
        hours=7 * _DAY_H,
        remind_hours=2 * _DAY_H,
        source="行政处罚法第61条",
    ),
    DeadlineRule(
        name="transfer-approval",
        start="transfer_reported",
        ends=("transfer_approved", "transfer_refused"),
        hours=3 * _DAY_H,
        source="行政执法机关移送涉嫌犯罪案件的规定第5条",
    ),
    DeadlineRule(
        name="hand-over",
        start="transfer_approved",
        ends=("handed_over",),
        hours=24.0,
        remind_hours=6.0,
        source="行政执法机关移送涉嫌犯罪案件的规定第5条",
    ),
    DeadlineRule(
        name="police-answer",
        start="handed_over",
        ends=("police_answered",),
        hours=3 * _DAY_H,
        source="行政执法机关移送涉嫌犯罪案件的规定第8条",
    ),
)


class CaseOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of cases.

    Attributes:
        deadlines: Deadlines of every case; by default those of the law.
    """

    deadlines: Annotated[tuple[DeadlineRule, ...], Meta(max_length=50)] = LEGAL_DEADLINES

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.deadlines]
        if len(set(names)) != len(names):
            raise ValueError(f"deadlines share a name: {sorted(names)}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline of one case that has begun.

    Attributes:
        rule: The deadline.
        started_at: Time of the step that started it, UTC.
        met_at: Time of the step that met it; None: it runs.
    """

    rule: DeadlineRule
    started_at: datetime
    met_at: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """Its end, UTC."""
        return self.started_at + timedelta(hours=self.rule.hours)

    def urgency(self, now: datetime) -> Urgency | None:
        """Return whether a running deadline is near or has passed; None: neither."""
        return None if self.met_at is not None else urgency_of(self.due_at, self.rule.remind_hours, now)


def urgency_of(due_at: datetime, remind_hours: float, now: datetime) -> Urgency | None:
    """Return whether the end of a running deadline is near or has passed; None: neither."""
    if now > due_at:
        return "passed"
    return "near" if now >= due_at - timedelta(hours=remind_hours) else None


def deadlines_of(steps: Sequence[tuple[Step, datetime]], rules: Sequence[DeadlineRule]) -> list[Deadline]:
    """Return the deadlines that have begun, running ones first, then by their end.

    Args:
        steps: Steps of a case and their times, in the order of recording.
        rules: The deadlines of every case.
    """
    found = []
    for rule in rules:
        start = next((index for index in reversed(range(len(steps))) if steps[index][0] == rule.start), None)
        if start is None:
            continue
        later = steps[start + 1 :]
        met_at = next((at for step, at in later if step in rule.ends), None) or _closed_at(later)
        found.append(Deadline(rule, steps[start][1], met_at))
    return sorted(found, key=lambda one: (one.met_at is not None, one.due_at, one.rule.name))


def next_due(deadlines: Sequence[Deadline]) -> Deadline | None:
    """Return the running deadline that ends first; None: none is running."""
    return next((one for one in deadlines if one.met_at is None), None)


def _closed_at(steps: Sequence[tuple[Step, datetime]]) -> datetime | None:
    """Return the time of the last closing that was not followed by a reopening; None: the case is open."""
    last = next(((step, at) for step, at in reversed(steps) if step in ("closed", "reopened")), None)
    return last[1] if last and last[0] == "closed" else None
