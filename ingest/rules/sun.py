"""Where the sun stands at a place: when it rises and sets there on a day, also where it does not."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from contract import Location

_EDGE = re.compile(r"(dawn|sunrise|sunset|dusk)(?:([+-])(0[0-6]):([0-5]\d))?")
RISING = frozenset({"dawn", "sunrise"})
_TWILIGHT_DEGREES = 6.0  # civil twilight: about as long as one sees without a lamp
_SEEN_DEGREES = 0.833  # the sun's radius and the air's refraction: it is seen while its centre is this far below


def is_sun_event(text: str) -> bool:
    """Tell whether a text names a turn of the sun, such as "sunset" or "sunset-00:30" (up to 6:59 from it)."""
    return _EDGE.fullmatch(text) is not None


def sun_event_name(text: str) -> str:
    """Take the turn of the sun out of a text that names one, without what is added or taken off."""
    found = _EDGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: expected dawn, sunrise, sunset or dusk, and perhaps -00:30 or +01:00 behind it")
    return found[1]


def sun_event_time(text: str, day: date, zone: tzinfo, place: Location) -> datetime:
    """Find when a turn of the sun comes on a local day.

    Where the sun does not rise that day, rising and setting both lie at solar noon: the day has no length. Where it
    does not set, they lie twelve hours before and after.

    Args:
        text: Such as "sunset", "dusk" (the sun's centre 6 degrees below the horizon) or "sunrise-00:30".
        day: The local day.
        zone: In whose time.
        place: Where.

    Raises:
        ValueError: the text names no turn of the sun.

    Source: the equations of NOAA's solar calculator after Meeus, Astronomical Algorithms, as astral has them; good to
    about a minute between the polar circles. Hills are not known.
    """
    from astral import Observer, sun

    word = sun_event_name(text)
    observer = Observer(place.latitude, place.longitude)
    midday = sun.noon(observer, day, tzinfo=zone)
    try:
        moment: datetime = getattr(sun, word)(observer, day, tzinfo=zone)
    except ValueError:  # it does neither rise nor set
        horizon = -_TWILIGHT_DEGREES if word in ("dawn", "dusk") else -_SEEN_DEGREES
        half = timedelta(hours=12) if sun.elevation(observer, midday) > horizon else timedelta(0)
        moment = midday - half if word in RISING else midday + half
    found = _EDGE.fullmatch(text)
    if found is not None and found[2]:
        off = timedelta(hours=int(found[3]), minutes=int(found[4]))
        moment = moment + off if found[2] == "+" else moment - off
    return moment.astimezone(UTC).astimezone(zone)
