"""Rarefaction and extrapolation of the number of species, and sample coverage (Chao et al. 2014).

doi:10.1890/13-0133.1; coverage by Chao & Jost 2012, doi:10.1890/11-1952.1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from pipelines.diversity.richness import chao1, chao2, singleton_frequency

Array = NDArray[np.float64]


class Sample:
    """Records of a set of species: by individual records, or by the sampling units in which a species was recorded."""

    def __init__(self, counts: Array, units: int | None = None) -> None:
        """Prepare a sample.

        Args:
            counts: (species,) number of records of each species, or of units with the species.
            units: Number of sampling units if ``counts`` are units; None if they are records.

        Raises:
            ValueError: there are no records.
        """
        counts = np.asarray(counts, float)
        self._counts = counts[counts > 0]
        self._by_units = units is not None
        self.size = float(self._counts.sum()) if units is None else float(units)
        self._singles = float((self._counts == 1).sum())
        self._doubles = float((self._counts == 2).sum())
        estimate = chao1(counts) if units is None else chao2(counts, units)
        self._unseen = estimate.estimate - estimate.observed

    def richness(self, size: float) -> float:
        """Return the expected number of species in a sample of a size: rarefied below the size, else extrapolated."""
        if size <= self.size:
            return float(np.sum(1 - share_without(self.size - self._counts, self.size, size)))
        if not self._unseen:
            return float(len(self._counts))
        gone = 1 - self._singles / (self.size * self._unseen + self._singles)
        return float(len(self._counts) + self._unseen * (1 - gone ** (size - self.size)))

    def hill_number(self, order: int, size: float) -> float:
        """Return the expected diversity of order 0, 1 or 2 of a sample of records, not larger than the own.

        Raises:
            ValueError: the order is another one, the size is larger, or the sample is by units.
        """
        if order == 0:
            return self.richness(size)
        if order not in (1, 2) or size > self.size or self._by_units:
            raise ValueError(
                f"order {order}, size {size:g} of {self.size:g}: expected an order from 0 to 2 and a size within the "
                "sample, of records"
            )
        if order == 2:
            n = self.size
            pairs = float(np.sum(self._counts * (self._counts - 1))) / (n * (n - 1))
            return 1 / (1 / size + (size - 1) / size * pairs)
        k = np.arange(1.0, int(size) + 1)
        ways = _log_choose(self._counts[:, None], k) + _log_choose(self.size - self._counts[:, None], size - k)
        expected = np.exp(ways - _log_choose(self.size, size)).sum(axis=0)
        return float(np.exp(-np.sum(k / size * np.log(k / size) * expected)))

    def coverage(self, size: float | None = None) -> float:
        """Return the expected sample coverage of a sample of a size: the share of all animals whose species it has.

        None: of the own size.
        """
        total = float(self._counts.sum())
        if size is not None and size < self.size:
            return float(
                1 - np.sum(self._counts / total * share_without(self.size - self._counts, self.size - 1, size))
            )
        if not self._singles:
            return 1.0
        n = self.size
        gone = 1 - singleton_frequency(self._singles, self._doubles, n)
        return float(1 - self._singles / total * gone ** ((size or n) - n + 1))

    def size_for_coverage(self, coverage: float) -> float:
        """Return the size of a sample with the given coverage.

        Raises:
            ValueError: the coverage is not between that of one record and 1, or cannot be reached.
        """
        largest = 20 * self.size
        if not self.coverage(1) <= coverage <= self.coverage(largest):
            raise ValueError(
                f"coverage {coverage}: expected {self.coverage(1):.3f} to {self.coverage(largest):.3f} for this sample"
            )
        return float(optimize.brentq(lambda size: self.coverage(size) - coverage, 1, largest, xtol=1e-9))


def share_without(left: Array, among: float, size: Array | float) -> Array:
    """Return the probability that ``size`` drawn of ``among`` are all within the ``left`` without a species.

    The arguments are broadcast against each other.
    """
    return np.exp(_log_choose(left, size) - _log_choose(among, size))


def _log_choose(n: Array | float, k: Array | float) -> Array:
    n, k = np.asarray(n, float), np.asarray(k, float)
    valid = (k >= 0) & (k <= n)
    safe = np.where(valid, k, 0.0)
    value = special.gammaln(n + 1) - special.gammaln(safe + 1) - special.gammaln(n - safe + 1)
    return np.where(valid, value, -np.inf)
