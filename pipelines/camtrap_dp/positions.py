"""Positions of cameras in exports: rounded, because poachers look for cameras and for protected animals."""

from dataclasses import dataclass
from math import cos, hypot, radians

from contract import Location

# Decimal places of degrees.
COARSE = 2  # about 1 km: where a camera stands
COARSER = 1  # about 10 km: where a nationally protected animal lives (Chapman 2020, doi:10.15468/doc-5jp4-5g10)
EXACT = 6
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Position:
    """A rounded position.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
        uncertainty_m: Largest distance of the true position from it.
    """

    latitude: float
    longitude: float
    uncertainty_m: int


def rounded(location: Location, digits: int, known_uncertainty_m: int | None = None) -> Position:
    """Round a position to decimal places of degrees, and say how far the true one may be."""
    latitude, longitude = (round(value, digits) for value in (location.latitude, location.longitude))
    half = 0.5 * 10**-digits * _METRES_PER_DEGREE
    shift = hypot(half, half * cos(radians(latitude)))
    return Position(latitude, longitude, max(1, round(shift + (known_uncertainty_m or 0))))
