"""Times of dawn, sunrise, sunset and dusk at a place, also inside the polar circles."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import asin, atan2, cos, pi, radians, sin

from contract import Location

_SUN_EVENT = re.compile(r"(dawn|sunrise|sunset|dusk)(?:([+-])(0[0-6]):([0-5]\d))?")
_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_TERRESTRIAL_TIME_DAYS = 69 / 86_400  # ahead of UTC in this century's first decades
_STEPS, _LARGEST_STEP, _SLOWEST = 5, 0.02, 0.01  # radians: 0.02 are five minutes
RISING = frozenset({"dawn", "sunrise"})
_TWILIGHT_DEGREES = 6.0  # civil twilight: about the time of sight without a lamp
_HORIZON_DEGREES = (
    0.833  # solar radius plus refraction: the sun is visible while its centre is less than this below the horizon
)


def is_sun_event(text: str) -> bool:
    """Return whether a text is a sun event with an optional offset up to 6:59, such as "sunset-00:30"."""
    return _SUN_EVENT.fullmatch(text) is not None


def sun_event_name(text: str) -> str:
    """Return the name of a sun event without its offset: "sunset" for "sunset-00:30"."""
    found = _SUN_EVENT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r}: expected dawn, sunrise, sunset or dusk, with an optional offset such as -00:30 or +01:00"
        )
    return found[1]


def sun_event_time(text: str, day: date, zone: tzinfo, place: Location) -> datetime:
    """Return the time of a sun event at a place on a local day.

    If the sun does not rise that day, sunrise and sunset are both at solar noon: the day has no length. If it does not
    set, they are twelve hours before and after solar noon.

    Args:
        text: Such as "sunset", "dusk" (the sun's centre 6 degrees below the horizon) or "sunrise-00:30".
        day: The local day.
        zone: Time zone of the day and of the result.
        place: The place.

    Raises:
        ValueError: the text is not a sun event.

    Source: the equations of NOAA's solar calculator after Meeus, Astronomical Algorithms, as implemented by astral,
    refined by the sun's altitude at the time found: within 0.8 minutes of the US Naval Observatory's times. Terrain is
    not taken into account.
    """
    from astral import Observer, sun

    name = sun_event_name(text)
    observer = Observer(place.latitude, place.longitude)
    noon = sun.noon(observer, day, tzinfo=zone)
    try:
        moment = _refined(getattr(sun, name)(observer, day, tzinfo=zone), name, place)
    except ValueError:  # it neither rises nor sets
        half = timedelta(hours=12) if sun.elevation(observer, noon) > _altitude_of(name) else timedelta(0)
        moment = noon - half if name in RISING else noon + half
    found = _SUN_EVENT.fullmatch(text)
    if found is not None and found[2]:
        offset = timedelta(hours=int(found[3]), minutes=int(found[4]))
        moment = moment + offset if found[2] == "+" else moment - offset
    return moment.astimezone(UTC).astimezone(zone)


def _altitude_of(name: str) -> float:
    return -_TWILIGHT_DEGREES if name in ("dawn", "dusk") else -_HORIZON_DEGREES


def _refined(moment: datetime, name: str, place: Location) -> datetime:
    """Return the time near ``moment`` at which the sun has the altitude of an event, by Newton's method.

    Near the polar circles the sun moves along the horizon, and an error of its declination is one of minutes.
    """
    latitude, target = radians(place.latitude), radians(_altitude_of(name))
    for _ in range(_STEPS):
        declination, hour_angle = _sun_position(moment, place.longitude)
        altitude = asin(sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle))
        speed = -cos(latitude) * cos(declination) * sin(hour_angle) / cos(altitude)  # of the altitude by hour angle
        if abs(speed) < _SLOWEST:
            return moment
        turned = max(-_LARGEST_STEP, min(_LARGEST_STEP, (target - altitude) / speed))
        moment += timedelta(days=turned / (2 * pi))
    return moment


def _sun_position(moment: datetime, longitude: float) -> tuple[float, float]:
    """Return the sun's apparent declination and local hour angle in radians (Meeus, chapters 12 and 25)."""
    days = (moment - _J2000) / timedelta(days=1)
    t = (days + _TERRESTRIAL_TIME_DAYS) / 36_525
    anomaly = radians(357.52911 + 35_999.05029 * t - 0.0001537 * t**2)
    centre = (
        (1.914602 - 0.004817 * t) * sin(anomaly)
        + (0.019993 - 0.000101 * t) * sin(2 * anomaly)
        + 0.000289 * sin(3 * anomaly)
    )
    node = radians(125.04 - 1934.136 * t)
    along = radians(280.46646 + 36_000.76983 * t + 0.0003032 * t**2 + centre - 0.00569 - 0.00478 * sin(node))
    tilt = radians(23.439291 - 0.0130042 * t + 0.00256 * cos(node))
    right_ascension = atan2(cos(tilt) * sin(along), cos(along))
    sidereal = radians(280.46061837 + 360.98564736629 * days - 0.00478 * sin(node) * cos(tilt) + longitude)
    return asin(sin(tilt) * sin(along)), sidereal - right_ascension
