"""Joins the shots that several stations heard, so that one shot is one incident, and a surer one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from contract import Event, Location
from contract.messages import Amount

_EARTH_RADIUS_M = 6_371_008.8  # mean radius of the WGS 84 ellipsoid, IUGG


class CorroborationOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which shots count as one.

    Attributes:
        labels: The detections that are joined; each only with its own kind.
        temperature_c: Of the air, in degrees Celsius; sound is slower in the cold.
        wind_m_s: The strongest wind that may blow against the sound, in metres a second.
        reach_m: Stations further apart than this are taken never to hear the same shot.
        margin_s: For what is not known: relief (distances are along level ground) and the detector's own timing.
        assumed_clock_error_s: For a clock that does not say how far it may be wrong; none: such a shot stays alone.
    """

    labels: tuple[str, ...] = ("gunshot",)
    temperature_c: Annotated[float, Meta(ge=-60, le=60)] = 15.0
    wind_m_s: Annotated[float, Meta(ge=0, le=60)] = 10.0
    reach_m: Annotated[float, Meta(gt=0)] = 5_000.0
    margin_s: Amount = 0.5
    assumed_clock_error_s: Amount | None = None

    @property
    def slowest_m_s(self) -> float:
        """How fast sound travels at least: 331.3 + 0.606 T, less the wind, in metres a second."""
        return 331.3 + 0.606 * self.temperature_c - self.wind_m_s


@dataclass(frozen=True, slots=True)
class Shot:
    """What one station heard.

    Attributes:
        event_id: Of the event that reports it.
        ordinal: Of the detection within the event.
        station: Who heard it.
        label: What it is called, such as gunshot.
        at: The middle of the detection's span, by the station's clock.
        within_s: Half the span: the shot lies between ``at - within_s`` and ``at + within_s``.
        clock_error_s: How far the station's clock may be wrong; None: not known.
        location: Where the station stands; None: not known.
        confidence: Of the detector, 0..1.
    """

    event_id: str
    ordinal: int
    station: str
    label: str
    at: datetime
    within_s: float
    clock_error_s: float | None
    location: Location | None
    confidence: float


@dataclass(frozen=True, slots=True)
class CorroboratedSound:
    """What was heard once, by one station or by several.

    Attributes:
        shots: What each station heard, in the order of time; at most one of each station.
        confidence: That at least one of them is true, if the stations err independently of each other.
    """

    shots: tuple[Shot, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Corroboration:
    """What several stations together say of one detection.

    Attributes:
        confidence: That at least one of them is right (see ``corroborate``).
        stations: Who heard it, the station itself included.
    """

    confidence: float
    stations: tuple[str, ...]


def shots_of(event: Event, options: CorroborationOptions | None = None) -> list[Shot]:
    """Pick out of an event what can be corroborated; a detection without a span counts for the whole capture."""
    labels = (options or CorroborationOptions()).labels
    found = []
    for detection in event.detections:
        if event.capture != "sound" or detection.label not in labels:
            continue
        span = detection.span
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, event.duration_s)
        found.append(
            Shot(
                event_id=event.event_id,
                ordinal=detection.ordinal,
                station=event.station,
                label=detection.label,
                at=event.captured_at + timedelta(seconds=(start_s + end_s) / 2),
                within_s=(end_s - start_s) / 2,
                clock_error_s=event.clock.error_s,
                location=event.location,
                confidence=detection.confidence,
            )
        )
    return found


def corroborate(shots: Iterable[Shot], options: CorroborationOptions | None = None) -> list[CorroboratedSound]:
    """Join shots that can be one sound heard at several places.

    Two shots can be one if ``|t1 - t2| <= d / c + e1 + e2 + w1 + w2 + margin``: d the distance between the stations, c
    the slowest speed of sound, e the errors of the clocks, w half the lengths of the spans. (From any source, sound
    reaches two places with at most d / c between: the triangle inequality.) All shots of an incident fit in pairs. That
    is necessary, not sufficient: two shots fired at about the same time at two places are joined as well.

    The k-th shot of a volley goes with the k-th that the other station heard. Where one of them missed some, the wrong
    ones may be joined.

    The confidence is ``1 - (1 - p1)(1 - p2)...``: the chance that at least one station is right if each errs
    independently of the others. They do not where one thing deceives all, such as thunder or a firework heard by
    every station: then it is too high. That a station listened and heard nothing is not taken into account.

    Args:
        shots: In any order; a shot given twice, by event and ordinal, counts once.
        options: What counts as one.

    Returns:
        Every shot in exactly one incident, incidents in the order of their first shot. The result does not depend on
        the order of the shots given.

    Raises:
        ValueError: a shot's time has no offset from UTC.
    """
    chosen = options or CorroborationOptions()
    ordered = sorted({(shot.event_id, shot.ordinal): shot for shot in shots}.values(), key=_order)
    incidents: list[list[Shot]] = []
    open_from = 0
    longest_s = _longest_s(ordered, chosen)
    for shot in ordered:
        # What began too long ago can take no further shot, and all before it neither.
        while open_from < len(incidents) and _between_s(incidents[open_from][0], shot) > longest_s:
            open_from += 1
        fitting = (known for known in incidents[open_from:] if all(_can_be_one(old, shot, chosen) for old in known))
        home = next(fitting, None)
        if home is None:
            incidents.append([shot])
        else:
            home.append(shot)
    return [CorroboratedSound(tuple(members), _together(members)) for members in incidents]


def distance_m(one: Location, other: Location) -> float:
    """Measure along level ground, in metres: the haversine formula on a sphere, within 0.6 % of the ellipsoid."""
    latitude, other_latitude = math.radians(one.latitude), math.radians(other.latitude)
    north = math.sin((other_latitude - latitude) / 2) ** 2
    east = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    share = min(1.0, north + math.cos(latitude) * math.cos(other_latitude) * east)
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(share))


def _can_be_one(one: Shot, other: Shot, options: CorroborationOptions) -> bool:
    if one.station == other.station or one.label != other.label or one.location is None or other.location is None:
        return False
    error_s, other_error_s = _clock_error_s(one, options), _clock_error_s(other, options)
    if error_s is None or other_error_s is None:
        return False
    distance = distance_m(one.location, other.location)
    allowed_s = distance / options.slowest_m_s + error_s + other_error_s + one.within_s + other.within_s
    return distance <= options.reach_m and abs(_between_s(one, other)) <= allowed_s + options.margin_s


def _clock_error_s(shot: Shot, options: CorroborationOptions) -> float | None:
    return options.assumed_clock_error_s if shot.clock_error_s is None else shot.clock_error_s


def _between_s(one: Shot, other: Shot) -> float:
    return (other.at - one.at).total_seconds()


def _longest_s(shots: Sequence[Shot], options: CorroborationOptions) -> float:
    """The longest that two of these shots can be apart and still be one."""
    slack = [(_clock_error_s(shot, options) or 0.0) + shot.within_s for shot in shots]
    return options.reach_m / options.slowest_m_s + 2 * max(slack, default=0.0) + options.margin_s


def _order(shot: Shot) -> tuple[datetime, str, int]:
    if shot.at.tzinfo is None:
        raise ValueError(f"shot of {shot.station} at {shot.at}: expected a time with its offset from UTC")
    return shot.at.astimezone(UTC), shot.event_id, shot.ordinal


def _together(shots: Sequence[Shot]) -> float:
    return 1 - math.prod(1 - shot.confidence for shot in shots)
