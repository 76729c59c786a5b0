"""Rules about problems of the stations themselves: silence, blindness, deafness."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.messages import Gap
from contract.severity import Severity


class StationRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule about a problem of the stations themselves.

    Attributes:
        name: Name of the rule; do not change it once in use.
        state: "silent": no message arrives. "blind": the station reports that a sensor cannot watch.
        after_minutes: Duration after which the problem counts. A station sends health every five minutes and effort
            every hour.
        severity: "notice", "warning" or "urgent".
        stations: Stations the rule applies to; empty: all that ever sent a message.
        gaps: Causes of blindness that count; by default all except a sensor that was switched off.
    """

    name: str
    state: Literal["silent", "blind"]
    after_minutes: Annotated[float, Meta(ge=1)] = 60.0
    severity: Severity = "warning"
    stations: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ("blind", "deaf", "broken", "clock", "disk")

    @property
    def after(self) -> timedelta:
        """Duration after which the problem counts."""
        return timedelta(minutes=self.after_minutes)
