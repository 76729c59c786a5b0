"""Rules about the stations themselves: one that has fallen silent, or cannot see or hear."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.messages import Gap
from contract.severity import Severity


class StationRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule about the stations themselves.

    Attributes:
        name: Names the rule; fixed once in use.
        state: "silent": nothing is heard of it. "blind": it says that a sensor cannot watch.
        after_minutes: For so long. A station sends word of its health every five minutes, of its effort every hour.
        severity: "notice", "warning" or "urgent".
        stations: Only these; empty: all that were ever heard.
        gaps: Which causes of blindness; a sensor that was switched off is not among them.
    """

    name: str
    state: Literal["silent", "blind"]
    after_minutes: Annotated[float, Meta(ge=1)] = 60.0
    severity: Severity = "warning"
    stations: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ("blind", "deaf", "broken", "clock", "disk")

    @property
    def after(self) -> timedelta:
        """For how long."""
        return timedelta(minutes=self.after_minutes)
