"""Occurrences (findings in captures and problems of stations), and the criteria for grouping them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from casebook.flags import Flag
from casebook.incidents.corroboration import CorroborationOptions, distance_m
from contract import Event, Location
from contract.bounds import Amount
from contract.severity import Severity, severity_rank

Source = Literal["vision", "sound", "health"]


class IncidentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Criteria for grouping occurrences into incidents.

    Attributes:
        gap_minutes: Longest time between an occurrence and its nearest neighbour in the incident.
        reach_m: Longest distance between an occurrence and its nearest neighbour in the incident, in metres.
        longest_minutes: Longest duration of an incident; without it, a busy road would make one incident of a day.
        late_after_minutes: A capture that arrives this long after it was taken is late: shown, but never alerted.
        corroboration: Criteria for joining detections of one sound; these are one incident at any distance.
    """

    gap_minutes: Annotated[float, Meta(gt=0)] = 10.0
    reach_m: Amount = 1_000.0
    longest_minutes: Annotated[float, Meta(gt=0)] = 120.0
    late_after_minutes: Annotated[float, Meta(gt=0)] = 60.0
    corroboration: CorroborationOptions = CorroborationOptions()

    @property
    def gap(self) -> timedelta:
        """Longest time between an occurrence and its nearest neighbour in the same incident."""
        return timedelta(minutes=self.gap_minutes)

    @property
    def longest(self) -> timedelta:
        """Longest duration of an incident, from its first occurrence to its last."""
        return timedelta(minutes=self.longest_minutes)

    @property
    def late_after(self) -> timedelta:
        """Time between capture and arrival above which a capture counts as late."""
        return timedelta(minutes=self.late_after_minutes)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One kind of finding in one capture, such as a person, or one problem of a station, such as silence.

    Attributes:
        subject: Id of the event; for a station, an id derived from its name, the problem and its start.
        kind: "human", "vehicle", "animal"..., the label of a sound such as "gunshot", or "silent", "blind", "deaf"...
        source: "vision", "sound", or "health" for a problem of the station itself.
        station: The station.
        at: Time of the occurrence, UTC; the arrival time if the station's clock is implausible.
        received_at: Time the server received or noticed it, UTC.
        location: Location; None: unknown, then only occurrences of the same station are near.
        severity: Highest severity of the rules that matched.
        confidence: 0..1, combined if several stations heard it; 1 for a problem of a station.
        reasons: ``Flag.reason_values`` of each rule.
        rules: Names of the rules, in the same order.
        late: Whether it arrived too late for an alert.
        witnesses: Subjects of the same sound at other stations; they are one incident at any distance.
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
    """Return whether two occurrences are close in time and place, or are the same sound."""
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
    known_kind: Callable[[str], str] = str,
) -> list[Occurrence]:
    """Convert the flags of one event to occurrences, one for each kind of finding such as "human" or "gunshot".

    Args:
        event: The event.
        flags: Its flags.
        received_at: Time it arrived, UTC.
        options: Limits, including the age at which a capture is late.
        witnesses: Events of other stations with the same sound.
        known_kind: Maps a kind that the server does not know to "other", so that all unknown labels are one kind.
    """
    if not flags:
        return []
    by_kind: dict[str, list[Flag]] = {}
    for flag in flags:
        by_kind.setdefault(known_kind(_kind(event, flag)), []).append(flag)
    at, late = _time_and_lateness(event, received_at, options)
    return [
        Occurrence(
            subject=event.event_id,
            kind=kind,
            source="sound" if event.capture == "sound" else "vision",
            station=event.station,
            at=at,
            received_at=received_at,
            # Near nothing but its own station: what is simulated never joins an incident of real stations.
            location=None if event.simulated is True else event.location,
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


def _time_and_lateness(event: Event, received_at: datetime, options: IncidentOptions) -> tuple[datetime, bool]:
    captured, received = event.captured_at, received_at.astimezone(UTC)
    implausible = not 1900 <= captured.year <= 2200
    if implausible or event.clock.source == "none" or captured > received + options.gap:
        # The capture time is unknown, so the capture may be recent: prefer a false alert to a missed one.
        return received, False
    known_since = captured if event.imported_at is UNSET else max(captured, event.imported_at)
    return captured.astimezone(UTC), received - known_since > options.late_after
