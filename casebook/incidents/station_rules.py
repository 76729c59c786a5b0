"""Rules about problems of stations: silence, and sensors that cannot watch."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.messages import Gap
from contract.severity import Severity


class StationRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rule that reports a station after its problem has lasted a set time.

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
        """Duration of a station's problem after which the rule applies."""
        return timedelta(minutes=self.after_minutes)
