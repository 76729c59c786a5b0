"""Grouping of several stations' detections of one sound, such as a shot, with a combined confidence."""

import math
from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta

from contract import Event, Location
from contract.bounds import Amount

_EARTH_RADIUS_M = 6_371_008.8  # mean radius of the WGS 84 ellipsoid, IUGG


class CorroborationOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Criteria that decide whether several stations detected the same sound.

    Attributes:
        labels: Labels of the detections that are joined; detections of different labels never are.
        temperature_c: Air temperature in degrees Celsius; sound is slower in cold air.
        wind_m_s: The strongest expected head wind, in metres per second.
        reach_m: Largest distance between two stations that can hear the same shot, in metres.
        margin_s: Extra seconds for terrain (distances are along level ground) and for the timing error of the detector.
        assumed_clock_error_s: Clock error in seconds of a station that reports none; None: such a shot is not joined.
    """

    labels: tuple[str, ...] = ("gunshot",)
    temperature_c: Annotated[float, Meta(ge=-60, le=60)] = 15.0
    wind_m_s: Annotated[float, Meta(ge=0, le=60)] = 10.0
    reach_m: Annotated[float, Meta(gt=0)] = 5_000.0
    margin_s: Amount = 0.5
    assumed_clock_error_s: Amount | None = None

    @property
    def slowest_m_s(self) -> float:
        """Lowest speed of sound in metres per second, in air of the set temperature and against the wind.

        The speed in still dry air is approximately 331.3 + 0.606 T, with the temperature T in degrees Celsius.
        """
        return 331.3 + 0.606 * self.temperature_c - self.wind_m_s


@dataclass(frozen=True, slots=True)
class Shot:
    """One station's detection of a sound.

    Attributes:
        event_id: Id of the event with the detection.
        ordinal: Ordinal of the detection in the event.
        station: The station that heard it.
        label: Label, such as "gunshot".
        at: Middle of the detection's span, by the station's clock.
        within_s: Half the span in seconds: the shot lies between ``at - within_s`` and ``at + within_s``.
        clock_error_s: Largest error of the station's clock in seconds; None: unknown.
        location: Location of the station; None: unknown.
        confidence: Confidence of the detector, 0..1.
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
    """One sound, detected by one or more stations.

    Attributes:
        shots: The detections in order of time, at most one of each station.
        confidence: Probability that at least one detection is true, if the stations err independently.
    """

    shots: tuple[Shot, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Corroboration:
    """Combined evidence of several stations for one detection.

    Attributes:
        confidence: Probability that at least one station is right (see ``corroborate``).
        stations: All stations that heard the sound, including the detection's own.
    """

    confidence: float
    stations: tuple[str, ...]


def shots_of(event: Event, options: CorroborationOptions | None = None) -> list[Shot]:
    """Return the detections of an event that other stations can corroborate, such as gunshots.

    A detection without a span covers the whole capture.
    """
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
                # Of another label than a real one, so that neither corroborates the other.
                label=f"simulated {detection.label}" if event.simulated is True else detection.label,
                at=event.captured_at + timedelta(seconds=(start_s + end_s) / 2),
                within_s=(end_s - start_s) / 2,
                clock_error_s=event.clock.error_s,
                location=event.location,
                confidence=detection.confidence,
            )
        )
    return found


def corroborate(shots: Iterable[Shot], options: CorroborationOptions | None = None) -> list[CorroboratedSound]:
    """Group detections that can be the same sound, heard by different stations.

    Two detections can be one sound if ``|t1 - t2| <= d / c + e1 + e2 + w1 + w2 + margin``, where d is the distance
    between the stations, c the lowest speed of sound, e the clock errors and w half the lengths of the spans. (From any
    source, sound reaches two places at most d / c apart in time: the triangle inequality.) Every pair of detections in
    a group fulfils this. The condition is necessary, not sufficient: two shots fired at about the same time at two
    places are joined as well.

    The k-th shot of a volley is joined with the k-th one of the other station. If a station missed some, the wrong
    ones may be joined.

    The confidence is ``1 - (1 - p1)(1 - p2)...``: the probability that at least one station is right if each errs
    independently of the others. The errors are not independent if one cause deceives all stations, such as thunder or
    a firework; the confidence is then too high. Stations that listened and heard nothing are not taken into account.

    Args:
        shots: Detections in any order; one given twice, by event and ordinal, counts once.
        options: Criteria for joining.

    Returns:
        Groups in the order of their first detection; each detection is in exactly one group. The result does not
        depend on the order of ``shots``.

    Raises:
        ValueError: a time has no offset from UTC.
    """
    chosen = options or CorroborationOptions()
    ordered = sorted({(shot.event_id, shot.ordinal): shot for shot in shots}.values(), key=_order)
    groups: list[list[Shot]] = []
    # Numbers of the groups that may accept another shot, by the stations in them. A station is in a group at most once,
    # so the shots of one station are not compared with each other.
    accepting: dict[frozenset[str], deque[int]] = {}
    longest_s = _longest_s(ordered, chosen)
    for shot in ordered:
        fitting: list[int] = []
        for stations, numbers in accepting.items():
            # A group that began too long ago accepts no further shot, and neither do those before it.
            while numbers and _between_s(groups[numbers[0]][0], shot) > longest_s:
                numbers.popleft()
            if shot.station not in stations:
                fits = (n for n in numbers if all(_can_be_one(old, shot, chosen) for old in groups[n]))
                fitting.extend(islice(fits, 1))
        if fitting:
            number = min(fitting)
            stations = frozenset(one.station for one in groups[number])
            accepting[stations].remove(number)
            groups[number].append(shot)
            insort(accepting.setdefault(stations | {shot.station}, deque()), number)
        else:
            accepting.setdefault(frozenset({shot.station}), deque()).append(len(groups))
            groups.append([shot])
    return [CorroboratedSound(tuple(members), _combined_confidence(members)) for members in groups]


def distance_m(one: Location, other: Location) -> float:
    """Return the ground distance between two locations in metres, by the haversine formula (error up to 0.6 %)."""
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
    """Return the longest possible time in seconds between detections of the same sound by two stations."""
    slack = [(_clock_error_s(shot, options) or 0.0) + shot.within_s for shot in shots]
    return options.reach_m / options.slowest_m_s + 2 * max(slack, default=0.0) + options.margin_s


def _order(shot: Shot) -> tuple[datetime, str, int]:
    if shot.at.tzinfo is None:
        raise ValueError(f"shot of {shot.station} at {shot.at}: expected a time with its offset from UTC")
    return shot.at.astimezone(UTC), shot.event_id, shot.ordinal


def _combined_confidence(shots: Sequence[Shot]) -> float:
    return 1 - math.prod(1 - shot.confidence for shot in shots)
