"""Bounds of every number, time, text and list in a message: what a field station can mean, and the reason of each.

Every sum that Wildpost makes of them stays within ``datetime`` and 64-bit integers. Times keep a year's distance from
both ends of ``datetime`` (years 1 and 9999), and no duration that is added to a time is longer than ``CLOCK_ERROR_S``.
Microseconds since 1970 of these times take 58 bits. JSON has no NaN and no infinity, and MessagePack's fail a bound.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

DAY_S = 86_400  # a recorder starts a new file at least once a day, and a station cuts recordings into minutes
CLOCK_ERROR_S = 100 * DAY_S  # a clock that is off by more has an unknown error, which is sent as null
UPTIME_S = 100 * 366 * DAY_S  # also the apparent uptime of a machine whose clock jumped from 1970 to the present
FREQUENCY_HZ = 1_000_000  # bats call below 250 kHz, the Nyquist frequency of the fastest recorders
FIRST_YEAR, LAST_YEAR = 2, 9998  # a clock that was never set may say anything; 1970 and 2099 are common
COUNT = 2**53  # the largest integer that JSON readers with 64-bit floats keep exact; far below 2**63
TEMPERATURE_C = (-273.15, 1000.0)  # absolute zero; a broken sensor may report more than a station survives
LOAD = 1_000_000  # processes
HEIGHT_M = 10_000  # above the ground: a mast or a slope
DISTANCE_M = 20_040_000  # half of the equator: no two places are farther apart (WGS 84: 20,037,508 m)
MODELS = 32  # per event
DETECTIONS = 2_000  # per event: a detector returns up to 300 per picture; as many as LIMIT_BYTES has room for
MEDIA = 100  # per event: a burst with its thumbnail
ORDINAL = 10_000
DAMAGE_CHARACTERS = 200
PASSED_OVER = 32  # kinds of entries that are no captures, per health message
SCHEMA_CHARACTERS = 20

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z", max_length=63)]
Uuid = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", max_length=36)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", max_length=64)]
Schema = Annotated[str, Meta(max_length=SCHEMA_CHARACTERS)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
OptionalText = Annotated[str, Meta(max_length=200)]
Damage = Annotated[str, Meta(max_length=DAMAGE_CHARACTERS)]
FileName = Annotated[str, Meta(max_length=255)]
Note = Annotated[str, Meta(max_length=2000)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=COUNT)]
Ordinal = Annotated[int, Meta(ge=0, lt=ORDINAL)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]  # of settings, which have their own units
Seconds = Annotated[float, Meta(ge=0, le=DAY_S)]
ClockError = Annotated[float, Meta(ge=0, le=CLOCK_ERROR_S)]
Uptime = Annotated[float, Meta(ge=0, le=UPTIME_S)]
Frequency = Annotated[float, Meta(ge=0, le=FREQUENCY_HZ)]
Load = Annotated[float, Meta(ge=0, le=LOAD)]
Temperature = Annotated[float, Meta(ge=TEMPERATURE_C[0], le=TEMPERATURE_C[1])]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Height = Annotated[float, Meta(ge=0, le=HEIGHT_M)]
Tilt = Annotated[float, Meta(ge=-90, le=90)]
Heading = Annotated[float, Meta(ge=0, le=360)]
Uncertainty = Annotated[int, Meta(ge=1, le=DISTANCE_M)]
Moment = Annotated[datetime, Meta(tz=True)]  # within the years above; see ``is_representable``


def is_representable(moment: datetime) -> bool:
    """Return whether a time is far enough from the ends of ``datetime`` for every sum and every time zone."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR
