"""Phase of the moon, and how much of its disc is lit."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_J2000_MS = 946_727_935_816  # milliseconds from 1970 to 2000-01-01 12:00 in Terrestrial Time, as UTC
_CENTURY_MS = 36_525 * 86_400_000


def moon_phase(time_ms: NDArray[np.int64]) -> Array:
    """Return the phase of the moon (n,) in degrees: 0 new moon, 90 first quarter, 180 full moon, 270 last quarter.

    Args:
        time_ms: (n,) milliseconds since 1970, UTC.

    Source: Meeus, Astronomical Algorithms, 2nd edition, equation 48.4 with the arguments of 47.2 to 47.4. The lit part
    of the disc is right to 0.005; the difference between Terrestrial Time and UTC, about a minute, is left out.
    """
    t = (np.asarray(time_ms, float) - _J2000_MS) / _CENTURY_MS
    elongation = 297.8501921 + 445267.1114034 * t - 0.0018819 * t**2
    sun, moon = (
        np.radians(base + rate * t + square * t**2)
        for base, rate, square in ((357.5291092, 35999.0502909, -0.0001536), (134.9633964, 477198.8675055, 0.0087414))
    )
    d = np.radians(elongation)
    return np.asarray(
        (
            elongation
            + 6.289 * np.sin(moon)
            - 2.100 * np.sin(sun)
            + 1.274 * np.sin(2 * d - moon)
            + 0.658 * np.sin(2 * d)
            + 0.214 * np.sin(2 * moon)
            + 0.110 * np.sin(d)
        )
        % 360
    )


def lit_share(phase: Array) -> Array:
    """Return the lit part of the disc (n,), 0 to 1, for phases in degrees (Meeus, equation 48.1)."""
    return np.asarray((1 - np.cos(np.radians(phase))) / 2)
