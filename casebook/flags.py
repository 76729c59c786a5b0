"""What a rule says about a capture: this one needs a person's eyes, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contract.severity import Severity

FlagState = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Flag:
    """One rule's word on one event; there is at most one for each pair of them.

    Attributes:
        event_id: The event.
        rule: Name of the rule.
        severity: How soon it wants eyes.
        reason_key: What was found, for the sentence a page writes: "human", "vehicle", "animal" or "label".
        reason_values: What else goes into the sentence; a clause is there when its values are. Always ``label``,
            ``confidence`` (0..1, two decimals); ``zone``, ``zone_zh``, ``zone_en``; ``season_start``, ``season_end``
            (month-day, both included); ``hours_start``, ``hours_end`` (local hours:minutes or
            a turn of the sun such as "sunset-00:30", the end not included);
            by the sun also ``hours_start_at``, ``hours_end_at`` (what that was on that day); ``night`` ("yes") where
            these hours are the night; ``place_unknown`` ("yes") where hours by the sun are met for want of a place;
            ``local_time`` (the capture's local time, ISO 8601); ``time_unknown`` ("yes") where the station's clock
            could not say and conditions of time were taken as met; ``protection`` (level of the animal); ``stations``
            (how many heard it, where it was more than one: ``confidence`` is then what they make of it together).
        zone: Id of the zone, where the rule has one.
        raised_at: When, UTC.
        state: Open until a person decides.
        closed_by: Who closed it.
        closed_at: When, UTC.
    """

    event_id: str
    rule: str
    severity: Severity
    reason_key: str
    raised_at: datetime
    reason_values: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    state: FlagState = "open"
    closed_by: str | None = None
    closed_at: datetime | None = None

    @property
    def key(self) -> tuple[datetime, str, str]:
        """Where it sorts; pages go on after it."""
        return self.raised_at, self.event_id, self.rule
