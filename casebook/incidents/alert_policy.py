"""Decides when people are told: once for each incident, again where it gets worse, and never for what is old."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from casebook.incidents.occurrence import Occurrence
from contract.severity import Severity, severity_rank

Cause = Literal["first", "severity", "kind"]


class AlertPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is worth an alert.

    Attributes:
        min_severity: The least that is: "notice", "warning" or "urgent".
        cooldown_minutes: After an alert, another incident of the same kind at the same station, no more severe,
            stays quiet for so long.
    """

    min_severity: Severity = "warning"
    cooldown_minutes: Annotated[float, Meta(ge=0)] = 30.0

    @property
    def cooldown(self) -> timedelta:
        """How long the same again stays quiet."""
        return timedelta(minutes=self.cooldown_minutes)


@dataclass(frozen=True, slots=True)
class Alerted:
    """What people have been told of an incident.

    Attributes:
        severity: The highest they were told; None: nothing yet.
        kinds: What kinds of things.
    """

    severity: Severity | None = None
    kinds: frozenset[str] = field(default_factory=frozenset)


def cause_of_alert(
    told: Alerted, happening: Occurrence, cooling: Mapping[str, Severity], policy: AlertPolicy
) -> Cause | None:
    """Decide whether a happening that has joined an incident is worth an alert.

    Args:
        told: What people know of this incident.
        happening: What has just become known.
        cooling: By kind, the highest severity of the alerts for this station within the cooldown.
        policy: What is worth one.

    Returns:
        "first": the incident's first alert. "severity", "kind": an escalation, which no cooldown holds back. None: no
        alert, and nothing is spent by it.
    """
    if happening.late or severity_rank(happening.severity) < severity_rank(policy.min_severity):
        return None
    if told.severity is None:
        quiet = cooling.get(happening.kind)
        return None if quiet is not None and severity_rank(happening.severity) <= severity_rank(quiet) else "first"
    if severity_rank(happening.severity) > severity_rank(told.severity):
        return "severity"
    return None if happening.kind in told.kinds else "kind"


def cooling_since(now: datetime, policy: AlertPolicy) -> datetime:
    """Tell from when on alerts still keep the same again quiet."""
    return now - policy.cooldown
