"""Density of the times of day of a species, by kernels of the von Mises distribution, and its activity level."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]
TURN = 2 * np.pi
GRID = 512  # points of a density around the day
MOMENTS = 3  # trigonometric moments that the bandwidth is taken from
_LARGEST_KAPPA = 1e5
_CHUNK = 1_000_000


class TooFewTimes(ValueError):
    """A density needs at least two different times of day."""


@dataclass(frozen=True, slots=True)
class ActivityDensity:
    """Density of times of day.

    Attributes:
        times: (n,) times that it comes from, in radians, 0 to 2 pi; 2 pi is 24 hours.
        kappa: Concentration of the kernels: the larger, the less smooth.
    """

    times: Array
    kappa: float

    def at(self, points: Array) -> Array:
        """Return the density per radian at ``points`` (m,), in radians."""
        points = np.asarray(points, float)
        scale = 1 / (TURN * float(special.ive(0, self.kappa)) * len(self.times))
        parts = [
            np.exp(self.kappa * (np.cos(part[:, None] - self.times[None, :]) - 1)).sum(axis=1)
            for part in self._parts(points)
        ]
        return scale * np.concatenate(parts) if parts else np.zeros(0)

    def _parts(self, points: Array) -> Iterator[Array]:
        step = max(1, _CHUNK // len(self.times))
        for first in range(0, len(points), step):
            yield points[first : first + step]

    def on_grid(self, count: int = GRID) -> Array:
        """Return the density (count,) at equally spaced times from midnight."""
        return self.at(np.arange(count) * TURN / count)

    @property
    def activity_level(self) -> float:
        """Proportion of the day that the species is active, 0 to 1.

        It is the mean of the density over its maximum, if all animals are active at the peak (Rowcliffe et al. 2014,
        doi:10.1111/2041-210X.12278).
        """
        return float(1 / (TURN * self.on_grid().max()))


def fit_density(times: Array, adjust: float = 1.0) -> ActivityDensity:
    """Fit a density to times of day.

    Args:
        times: (n,) times in radians, 2 pi for 24 hours.
        adjust: Divides the concentration of the kernels: above 1, the density is smoother.

    Raises:
        TooFewTimes: there are fewer than two different times.
    """
    times = np.asarray(times, float) % TURN
    return ActivityDensity(times, bandwidth(times) / adjust)


def bandwidth(times: Array) -> float:
    """Return the concentration of von Mises kernels for times of day.

    By the rule of Taylor 2008 (doi:10.1016/j.csda.2007.11.003), for a von Mises distribution whose concentration is
    the largest of those that the first three trigonometric moments suggest (Ridout & Linkie 2009,
    doi:10.1198/jabes.2009.08038).

    Raises:
        TooFewTimes: there are fewer than two different times.
    """
    times = np.asarray(times, float)
    if len(np.unique(times)) < 2:
        raise TooFewTimes(f"{len(np.unique(times))} different times: expected at least 2")
    kappa = max(concentration(float(abs(np.exp(1j * k * times).mean())), k) for k in range(1, MOMENTS + 1))
    if kappa <= 0:
        raise TooFewTimes("the times are spread evenly over the day: no bandwidth can be derived from them")
    # 3 n kappa² I2(2 kappa) / (4 sqrt(pi) I0(kappa)²), with scaled Bessel functions, whose exponents cancel.
    ratio = float(special.ive(2, 2 * kappa) / special.ive(0, kappa) ** 2)
    return float((3 * len(times) * kappa**2 * ratio / (4 * np.sqrt(np.pi))) ** 0.4)


def concentration(moment: float, k: int = 1, largest: float = _LARGEST_KAPPA) -> float:
    """Return kappa with I_k(kappa) / I_0(kappa) = moment, at most ``largest``; 0 if the moment is not positive."""
    if moment <= 0:
        return 0.0

    def excess(kappa: float) -> float:
        return float(special.ive(k, kappa) / special.ive(0, kappa)) - moment

    return largest if excess(largest) < 0 else float(optimize.brentq(excess, 0, largest))


def day_radians(hours: Array) -> Array:
    """Return hours of the day (n,), 0 to 24, in radians."""
    return np.asarray(hours, float) * TURN / 24
