"""Overlap of the daily activity of two species, places or seasons (Ridout & Linkie 2009)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.activity.density import GRID, TURN, ActivityDensity, fit_density

Array = NDArray[np.float64]
Estimator = Literal["Dhat1", "Dhat4", "Dhat5"]
ADJUST: dict[Estimator, float] = {"Dhat1": 0.8, "Dhat4": 1.0, "Dhat5": 4.0}  # smoothing, Ridout & Linkie 2009
SMALL_SAMPLE = 50  # below, Dhat1 has the smaller error; above 75, Dhat4 (Ridout & Linkie 2009)


def usual_estimator(first: int, second: int) -> Estimator:
    """Return the estimator for two samples of these sizes: "Dhat1" if one has fewer than 50 times, else "Dhat4"."""
    return "Dhat1" if min(first, second) < SMALL_SAMPLE else "Dhat4"


def overlap(first: Array, second: Array, estimator: Estimator | None = None) -> float:
    """Return the coefficient of overlap of two samples of times of day: 0, never active together, to 1, equal.

    Args:
        first: (n,) times in radians.
        second: (m,) times in radians.
        estimator: None: see ``usual_estimator``.

    Raises:
        TooFewTimes: a sample has fewer than two different times.
    """
    chosen = estimator or usual_estimator(len(first), len(second))
    a, b = fit_density(first, ADJUST[chosen]), fit_density(second, ADJUST[chosen])
    return {"Dhat1": _dhat1, "Dhat4": _dhat4, "Dhat5": _dhat5}[chosen](a, b)


def _dhat1(a: ActivityDensity, b: ActivityDensity) -> float:
    return float(np.minimum(a.on_grid(), b.on_grid()).sum() * TURN / GRID)


def _dhat4(a: ActivityDensity, b: ActivityDensity) -> float:
    of_a = np.minimum(1, b.at(a.times) / a.at(a.times)).mean()
    of_b = np.minimum(1, a.at(b.times) / b.at(b.times)).mean()
    return float(of_a + of_b) / 2


def _dhat5(a: ActivityDensity, b: ActivityDensity) -> float:
    return float((a.at(a.times) < b.at(a.times)).mean() + (b.at(b.times) <= a.at(b.times)).mean())


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """An estimate with a bootstrap interval.

    Attributes:
        value: The estimate.
        low: Lower limit.
        high: Upper limit.
        repeats: Number of bootstrap samples.
    """

    value: float
    low: float
    high: float
    repeats: int


def overlap_interval(
    first: Array, second: Array, estimator: Estimator | None = None, repeats: int = 1_000, seed: int = 1
) -> BootstrapInterval:
    """Return the overlap with a 95 % interval from a smoothed bootstrap.

    The interval is "basic0" of Meredith & Ridout's package overlap: the bootstrap's spread around the estimate, without
    the bias of the bootstrap, within 0 and 1.

    Raises:
        TooFewTimes: a sample has fewer than two different times.
    """
    rng = np.random.default_rng(seed)
    value = overlap(first, second, estimator)
    a, b = fit_density(first), fit_density(second)
    found = np.array([overlap(resample(a, rng), resample(b, rng), estimator) for _ in range(repeats)])
    low, high = np.quantile(found, (0.025, 0.975)) - found.mean() + value
    return BootstrapInterval(value, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)), repeats)


def activity_level_interval(times: Array, repeats: int = 1_000, seed: int = 1) -> BootstrapInterval:
    """Return the activity level with a 95 % percentile interval from resampled times.

    Raises:
        TooFewTimes: there are fewer than two different times.
    """
    rng = np.random.default_rng(seed)
    times = np.asarray(times, float)
    samples = (rng.choice(times, len(times)) for _ in range(repeats))
    found = [fit_density(sample).activity_level for sample in samples if len(np.unique(sample)) > 1]
    low, high = np.quantile(found, (0.025, 0.975))
    return BootstrapInterval(fit_density(times).activity_level, float(low), float(high), len(found))


def resample(density: ActivityDensity, rng: np.random.Generator) -> Array:
    """Draw as many times (n,) from a density as it comes from, in radians."""
    centres = rng.choice(density.times, len(density.times))
    return (centres + rng.vonmises(0, density.kappa, len(centres))) % TURN
