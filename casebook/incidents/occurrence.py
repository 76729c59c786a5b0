"""What an incident is made of: something seen, heard or gone wrong, when and where; and what belongs together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from casebook.flags import Flag
from casebook.incidents.corroboration import CorroborationOptions, distance_m
from contract import Event, Location
from contract.messages import Amount
from contract.severity import Severity, severity_rank

Source = Literal["vision", "sound", "health"]


class IncidentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as one incident.

    Attributes:
        gap_minutes: What comes longer after (or before) everything in an incident is another one.
        reach_m: And what is further away from everything in it.
        longest_minutes: After this a new one begins, however little lies between: on a busy road the day would be one.
        late_after_minutes: A capture that arrives this much later than it was taken is late: shown, but no alert.
        corroboration: Which shots, heard by several stations, are one; those are one incident whatever the distance.
    """

    gap_minutes: Annotated[float, Meta(gt=0)] = 10.0
    reach_m: Amount = 1_000.0
    longest_minutes: Annotated[float, Meta(gt=0)] = 120.0
    late_after_minutes: Annotated[float, Meta(gt=0)] = 60.0
    corroboration: CorroborationOptions = CorroborationOptions()

    @property
    def gap(self) -> timedelta:
        """The longest pause within an incident."""
        return timedelta(minutes=self.gap_minutes)

    @property
    def longest(self) -> timedelta:
        """The longest an incident lasts."""
        return timedelta(minutes=self.longest_minutes)

    @property
    def late_after(self) -> timedelta:
        """How old a capture may be and still be news."""
        return timedelta(minutes=self.late_after_minutes)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that rules found in one capture, or a station that fell silent or blind.

    Attributes:
        subject: The event's id; for a station, an id made of its name, what is wrong and since when.
        kind: "human", "vehicle", "animal"..., the label of a sound such as "gunshot", or "silent", "blind", "deaf"...
        source: Seen, heard, or about the station itself.
        station: Whose.
        at: When it happened, UTC; where the station's clock cannot be meant, when it arrived.
        received_at: When the server learned of it, UTC.
        location: Where; None: not known, then only the same station is near.
        severity: The highest of the rules that found it.
        confidence: 0..1, of several stations together where they heard it; 1 for a station.
        reasons: ``Flag.reason_values`` of each rule.
        rules: Their names, in the same order.
        late: It arrived too late to be news.
        witnesses: Subjects of the same sound at other stations: one incident with those whatever the distance.
    """

    subject: str
    kind: str
    source: Source
    station: str
    at: datetime
    received_at: datetime
    location: Location | None
    severity: Severity
    confidence: float
    reasons: tuple[Mapping[str, str], ...] = ()
    rules: tuple[str, ...] = ()
    late: bool = False
    witnesses: frozenset[str] = field(default_factory=frozenset)


def are_near(one: Occurrence, other: Occurrence, options: IncidentOptions) -> bool:
    """Tell whether two happenings lie within minutes and metres of each other, or are one sound."""
    if one.subject in other.witnesses or other.subject in one.witnesses:
        return True
    if abs(one.at - other.at) > options.gap:
        return False
    if one.station == other.station:
        return True
    if one.location is None or other.location is None:
        return False
    return distance_m(one.location, other.location) <= options.reach_m


def occurrences_of(
    event: Event,
    flags: Sequence[Flag],
    received_at: datetime,
    options: IncidentOptions,
    witnesses: Iterable[str] = (),
) -> list[Occurrence]:
    """Turn the flags of one event into happenings, one for each kind of thing that was found.

    Args:
        event: The capture.
        flags: What rules say of it.
        received_at: When it arrived, UTC.
        options: From when on it is late.
        witnesses: Events of other stations that hold the same sound.
    """
    if not flags:
        return []
    by_kind: dict[str, list[Flag]] = {}
    for flag in flags:
        by_kind.setdefault(_kind(event, flag), []).append(flag)
    at, late = _happened(event, received_at, options)
    return [
        Occurrence(
            subject=event.event_id,
            kind=kind,
            source="sound" if event.capture == "sound" else "vision",
            station=event.station,
            at=at,
            received_at=received_at,
            location=event.location,
            severity=max((flag.severity for flag in same), key=severity_rank),
            confidence=max(float(flag.reason_values["confidence"]) for flag in same),
            reasons=tuple(flag.reason_values for flag in same),
            rules=tuple(flag.rule for flag in same),
            late=late,
            witnesses=frozenset(witnesses),
        )
        for kind, same in by_kind.items()
    ]


def _kind(event: Event, flag: Flag) -> str:
    label = flag.reason_values["label"]
    if event.capture == "sound":
        return label
    return next((one.observation_type for one in event.detections if one.label == label), label)


def _happened(event: Event, received_at: datetime, options: IncidentOptions) -> tuple[datetime, bool]:
    captured, received = event.captured_at, received_at.astimezone(UTC)
    mad = not 1900 <= captured.year <= 2200
    if mad or event.clock.source == "none" or captured > received + options.gap:
        # The clock cannot be meant. It may be old, it may be now: better one alert too many.
        return received, False
    return captured.astimezone(UTC), received - captured > options.late_after
