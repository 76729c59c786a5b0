"""Alert policy: an incident raises a first alert and one at each escalation, but none for late captures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from casebook.incidents.occurrence import Occurrence
from contract.severity import Severity, severity_rank

Cause = Literal["first", "severity", "kind", "held", "near", "passed"]


class AlertPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that decide whether a new occurrence in an incident raises an alert.

    Attributes:
        min_severity: The lowest severity that raises an alert: "notice", "warning" or "urgent".
        cooldown_minutes: For this long after an alert, another incident of the same kind at the same station raises
            none unless it is more severe.
        station_alerts_per_hour: Most alerts of one station in an hour, counted among those of the same severity or
            a higher one; the rest is held back, and one alert says so.
        alerts_per_hour: Most alerts of all stations in an hour, likewise; it holds back no station that raised fewer
            than three.
    """

    min_severity: Severity = "warning"
    cooldown_minutes: Annotated[float, Meta(ge=0)] = 30.0
    station_alerts_per_hour: Annotated[int, Meta(ge=1)] = 20
    alerts_per_hour: Annotated[int, Meta(ge=1)] = 200

    @property
    def cooldown(self) -> timedelta:
        """Duration of the cooldown after an alert."""
        return timedelta(minutes=self.cooldown_minutes)


@dataclass(frozen=True, slots=True)
class Alerted:
    """Severity and kinds that the alerts of an incident have reported so far.

    Attributes:
        severity: The highest severity reported; None if no alert was raised.
        kinds: Kinds of occurrences reported.
    """

    severity: Severity | None = None
    kinds: frozenset[str] = field(default_factory=frozenset)


def cause_of_alert(
    alerted: Alerted, occurrence: Occurrence, cooling: Mapping[str, Severity], policy: AlertPolicy
) -> Cause | None:
    """Return the reason why a new occurrence in an incident raises an alert; None if it raises no alert.

    Args:
        alerted: Severity and kinds that the alerts of this incident have reported so far.
        occurrence: The new occurrence.
        cooling: By kind, the highest severity of the alerts for this station within the cooldown.
        policy: Thresholds for an alert.

    Returns:
        "first": the incident's first alert. "severity" or "kind": an escalation, which no cooldown suppresses. None: no
        alert; this does not start a cooldown.
    """
    if occurrence.late or severity_rank(occurrence.severity) < severity_rank(policy.min_severity):
        return None
    if alerted.severity is None:
        recent = cooling.get(occurrence.kind)
        return None if recent is not None and severity_rank(occurrence.severity) <= severity_rank(recent) else "first"
    if severity_rank(occurrence.severity) > severity_rank(alerted.severity):
        return "severity"
    return None if occurrence.kind in alerted.kinds else "kind"


def cooling_since(now: datetime, policy: AlertPolicy) -> datetime:
    """Return the earliest time of an alert whose cooldown has not ended at ``now``."""
    return now - policy.cooldown
