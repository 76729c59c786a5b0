"""Times of dawn, sunrise, sunset and dusk at a place, also inside the polar circles."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from contract import Location

_SUN_EVENT = re.compile(r"(dawn|sunrise|sunset|dusk)(?:([+-])(0[0-6]):([0-5]\d))?")
RISING = frozenset({"dawn", "sunrise"})
_TWILIGHT_DEGREES = 6.0  # civil twilight: about the time of sight without a lamp
_HORIZON_DEGREES = (
    0.833  # solar radius plus refraction: the sun is visible while its centre is less than this below the horizon
)


def is_sun_event(text: str) -> bool:
    """Return whether a text is a sun event such as "sunset" or "sunset-00:30"; offsets reach up to 6:59."""
    return _SUN_EVENT.fullmatch(text) is not None


def sun_event_name(text: str) -> str:
    """Return the name of a sun event without its offset."""
    found = _SUN_EVENT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r}: expected dawn, sunrise, sunset or dusk, with an optional offset such as -00:30 or +01:00"
        )
    return found[1]


def sun_event_time(text: str, day: date, zone: tzinfo, place: Location) -> datetime:
    """Return the time of a sun event on a local day.

    If the sun does not rise that day, sunrise and sunset are both at solar noon: the day has no length. If it does not
    set, they are twelve hours before and after solar noon.

    Args:
        text: Such as "sunset", "dusk" (the sun's centre 6 degrees below the horizon) or "sunrise-00:30".
        day: The local day.
        zone: Time zone of the day and of the result.
        place: The place.

    Raises:
        ValueError: the text is not a sun event.

    Source: the equations of NOAA's solar calculator after Meeus, Astronomical Algorithms, as implemented by astral;
    accurate to about a minute between the polar circles. Terrain is not taken into account.
    """
    from astral import Observer, sun

    name = sun_event_name(text)
    observer = Observer(place.latitude, place.longitude)
    noon = sun.noon(observer, day, tzinfo=zone)
    try:
        moment: datetime = getattr(sun, name)(observer, day, tzinfo=zone)
    except ValueError:  # it neither rises nor sets
        horizon = -_TWILIGHT_DEGREES if name in ("dawn", "dusk") else -_HORIZON_DEGREES
        half = timedelta(hours=12) if sun.elevation(observer, noon) > horizon else timedelta(0)
        moment = noon - half if name in RISING else noon + half
    found = _SUN_EVENT.fullmatch(text)
    if found is not None and found[2]:
        offset = timedelta(hours=int(found[3]), minutes=int(found[4]))
        moment = moment + offset if found[2] == "+" else moment - offset
    return moment.astimezone(UTC).astimezone(zone)
