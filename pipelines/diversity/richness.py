"""Estimates of the number of species, including those that were never recorded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Richness:
    """Estimated number of species.

    Attributes:
        observed: Number of recorded species.
        estimate: Estimated number of species; at least ``observed``.
        standard_error: Standard error of the estimate.
        low: Lower limit of the 95 % interval, at least ``observed``.
        high: Upper limit of the 95 % interval.
    """

    observed: int
    estimate: float
    standard_error: float
    low: float
    high: float


def chao1(counts: Array) -> Richness:
    """Return the estimate of Chao 1984 from the number of records (species,) of each species.

    With the factor (n - 1) / n and the bias-corrected form without doubletons of Chao et al. 2014
    (doi:10.1890/13-0133.1); the interval by Chao 1987 (doi:10.2307/2531532).

    Raises:
        ValueError: there are no records.
    """
    counts = _positive(counts)
    n = float(counts.sum())
    return _chao(len(counts), float((counts == 1).sum()), float((counts == 2).sum()), (n - 1) / n)


def chao2(frequencies: Array, units: int) -> Richness:
    """Return the estimate of Chao 1987 from the number of sampling units (species,) with each species.

    Args:
        frequencies: Number of units, such as stations or station-weeks, in which each species was recorded.
        units: Number of all units.

    Raises:
        ValueError: there are no records, or a species has more units than there are.
    """
    frequencies = _positive(frequencies)
    if frequencies.max() > units:
        raise ValueError(f"a species in {frequencies.max():g} of {units} units: expected at most {units}")
    singles, doubles = float((frequencies == 1).sum()), float((frequencies == 2).sum())
    return _chao(len(frequencies), singles, doubles, (units - 1) / units)


def _positive(counts: Array) -> Array:
    counts = np.asarray(counts, float)
    counts = counts[counts > 0]
    if not len(counts):
        raise ValueError("no records: the number of species cannot be estimated")
    return counts


def _chao(observed: int, singles: float, doubles: float, factor: float) -> Richness:
    if doubles > 0:
        unseen = factor * singles**2 / (2 * doubles)
        a = singles / doubles
        variance = doubles * (factor / 2 * a**2 + factor**2 * a**3 + factor**2 / 4 * a**4)
    else:
        unseen = factor * singles * (singles - 1) / 2
        estimate = observed + unseen
        variance = (
            factor * singles * (singles - 1) / 2
            + factor**2 * singles * (2 * singles - 1) ** 2 / 4
            - (factor**2 * singles**4 / (4 * estimate) if singles > 1 else 0)
        )
    if unseen <= 0:
        return Richness(observed, float(observed), 0.0, float(observed), float(observed))
    spread = np.exp(stats.norm.ppf(0.975) * np.sqrt(np.log1p(variance / unseen**2)))
    return Richness(
        observed,
        observed + unseen,
        float(np.sqrt(variance)),
        float(observed + unseen / spread),
        float(observed + unseen * spread),
    )


def jackknife(incidence: NDArray[np.bool_], order: int = 1) -> float:
    """Return the first- or second-order jackknife estimate from an incidence matrix (units, species).

    Smith & van Belle 1984 (doi:10.2307/2530750).

    Raises:
        ValueError: the order is neither 1 nor 2.
    """
    units = len(incidence)
    frequencies = incidence.sum(axis=0)
    observed, singles, doubles = ((frequencies > 0).sum(), (frequencies == 1).sum(), (frequencies == 2).sum())
    if order == 1:
        return float(observed + singles * (units - 1) / units)
    if order == 2:
        return float(observed + singles * (2 * units - 3) / units - doubles * (units - 2) ** 2 / units / (units - 1))
    raise ValueError(f"order {order}: expected 1 or 2")


def bootstrap_richness(incidence: NDArray[np.bool_]) -> float:
    """Return the bootstrap estimate from an incidence matrix (units, species); Smith & van Belle 1984."""
    share = incidence.mean(axis=0)
    share = share[share > 0]
    return float(len(share) + ((1 - share) ** len(incidence)).sum())


def asymptotic_shannon(counts: Array) -> float:
    """Return the estimated exponential of Shannon's entropy from records (species,); Chao, Wang & Jost 2013.

    doi:10.1111/2041-210X.12108.

    Raises:
        ValueError: there are no records.
    """
    counts = _positive(counts)
    n = float(counts.sum())
    seen = float(np.sum(counts / n * (special.digamma(n) - special.digamma(counts))))
    singles, doubles = float((counts == 1).sum()), float((counts == 2).sum())
    a = singleton_frequency(singles, doubles, n)
    if not singles or a >= 1:
        return float(np.exp(seen))
    r = np.arange(1, int(n))
    rest = singles / n * (1 - a) ** (1 - n) * (-np.log(a) - np.sum((1 - a) ** r / r))
    return float(np.exp(seen + rest))


def asymptotic_simpson(counts: Array) -> float:
    """Return the estimated inverse Simpson concentration from records (species,); Chao et al. 2014.

    Raises:
        ValueError: there are no records.
    """
    counts = _positive(counts)
    n = float(counts.sum())
    pairs = float(np.sum(counts * (counts - 1)))
    return n * (n - 1) / pairs if pairs else float("inf")


def singleton_frequency(singles: float, doubles: float, n: float) -> float:
    """Return the estimated mean frequency of the species seen once (A in Chao, Wang & Jost 2013)."""
    if doubles > 0:
        return 2 * doubles / ((n - 1) * singles + 2 * doubles)
    return 2 / ((n - 1) * (singles - 1) + 2) if singles > 0 else 1.0
