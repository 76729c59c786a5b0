"""Flags, which are requests by rules that a person review a capture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contract.severity import Severity

FlagState = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Flag:
    """Request by a rule that a person review an event; a rule raises at most one flag per event.

    Attributes:
        event_id: Id of the event.
        rule: Name of the rule.
        severity: Urgency of the review.
        reason_key: Kind of finding, which selects the sentence on a page: "human", "vehicle", "animal" or "label".
        reason_values: Values for the sentence; a page writes a clause if its values are present. Always present:
            ``label`` and ``confidence`` (0..1, two decimals).
            ``zone``, ``zone_zh``, ``zone_en``: id and names of the zone.
            ``season_start``, ``season_end``: month-day, both included.
            ``hours_start``, ``hours_end``: local hours:minutes or a sun event such as "sunset-00:30"; the end is not
            included. For sun events also ``hours_start_at``, ``hours_end_at``: the times on that day.
            ``night``: "yes" if these hours are the night.
            ``place_unknown``: "yes" if hours by the sun were taken as met because no place is known.
            ``local_time``: local time of the capture, ISO 8601.
            ``time_unknown``: "yes" if the station's clock was not set and conditions on time were taken as met.
            ``protection``: protection level of the animal.
            ``stations``: number of stations that heard the sound, if more than one; ``confidence`` is then the
            combined confidence.
        zone: Id of the zone, if the rule names zones.
        raised_at: Time the flag was raised, UTC.
        state: "open" until a person decides.
        closed_by: User who closed it.
        closed_at: Time it was closed, UTC.
        station: Station of the event; "" for flags of older versions.
        at: Time of the event, or of its receipt if the station's clock cannot be believed; by default ``raised_at``.
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
    station: str = ""
    at: datetime | None = None

    def __post_init__(self) -> None:
        if self.at is None:
            object.__setattr__(self, "at", self.raised_at)

    @property
    def key(self) -> tuple[datetime, str, str]:
        """Pagination cursor in the list of flags."""
        return self.raised_at, self.event_id, self.rule


@dataclass(frozen=True, slots=True)
class FlaggedEvent:
    """An event with open flags, as listed in the queue.

    Attributes:
        event_id: Id of the event.
        severity: Highest severity of its open flags.
        at: Time of the event, as in its flags.
    """

    event_id: str
    severity: Severity
    at: datetime

    @property
    def key(self) -> tuple[datetime, str]:
        """Pagination cursor in the list of events of one severity."""
        return self.at, self.event_id
