"""Tests for times of day: is a species active at all hours alike, and do two species differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.activity.density import TURN, concentration

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TestResult:
    """Result of a test.

    Attributes:
        statistic: The test statistic.
        p_value: Probability of at least this statistic if the hypothesis holds.
    """

    statistic: float
    p_value: float


def mean_direction(times: Array) -> float:
    """Return the mean (radians, 0 to 2 pi) of times of day, across midnight as well."""
    return float(np.angle(np.exp(1j * np.asarray(times, float)).mean()) % TURN)


def resultant_length(times: Array) -> float:
    """Return the mean resultant length: 0 for times spread over the day, 1 for equal times."""
    return float(abs(np.exp(1j * np.asarray(times, float)).mean()))


def von_mises_concentration(times: Array) -> float:
    """Return the maximum-likelihood concentration of a von Mises distribution (Mardia & Jupp 2000, section 5.3)."""
    length = resultant_length(times)
    return float("inf") if length >= 1 else concentration(length, largest=1e7)


def rayleigh_test(times: Array) -> TestResult:
    """Test whether times are uniform over the day, against one peak.

    The p-value is the approximation of Mardia & Jupp 2000, section 6.3.1.
    """
    n, length = len(times), resultant_length(times)
    z = n * length**2
    p = np.exp(-z) * (
        1 + (2 * z - z**2) / (4 * n) - (24 * z - 132 * z**2 + 76 * z**3 - 9 * z**4) / (288 * n**2) if n < 50 else 1
    )
    return TestResult(length, float(min(1.0, max(p, 0.0))))


def watson_uniformity(times: Array) -> float:
    """Return Watson's U² with Stephens' correction for the hypothesis that times are uniform over the day.

    Above 0.187 the hypothesis is rejected at 5 %, above 0.267 at 1 % (Mardia & Jupp 2000, section 6.3.3).
    """
    u = np.sort(np.asarray(times, float) % TURN) / TURN
    n = len(u)
    i = np.arange(1, n + 1)
    u2 = np.sum((u - u.mean() - (2 * i - 1) / (2 * n) + 0.5) ** 2) + 1 / (12 * n)
    return float((u2 - 0.1 / n + 0.1 / n**2) * (1 + 0.8 / n))


def watson_two_sample(first: Array, second: Array) -> float:
    """Return Watson's two-sample U² for the hypothesis that two samples have one distribution.

    Above 0.187 the hypothesis is rejected at 5 %, above 0.268 at 1 %, above 0.385 at 0.1 % (Zar 2010, table B.38a, for
    large samples). Ties are allowed.
    """
    first, second = (np.sort(np.asarray(one, float) % TURN) for one in (first, second))
    n, m = len(first), len(second)
    both, counts = np.unique(np.concatenate([first, second]), return_counts=True)
    d = np.searchsorted(first, both, "right") / n - np.searchsorted(second, both, "right") / m
    total = n + m
    return float(n * m / total**2 * (np.sum(counts * d**2) - np.sum(counts * d) ** 2 / total))


def watson_wheeler_test(samples: Sequence[Array]) -> TestResult:
    """Test whether samples have one distribution, by their ranks around the day (Mardia & Jupp 2000, section 8.3.2).

    Ties are broken in the order of the samples; with samples of fewer than 10 the p-value is approximate.
    """
    values = np.concatenate([np.asarray(one, float) % TURN for one in samples])
    group = np.repeat(np.arange(len(samples)), [len(one) for one in samples])
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(1, len(values) + 1)
    angles = TURN * ranks / len(values)
    sums = [abs(np.exp(1j * angles[group == one]).sum()) ** 2 / np.sum(group == one) for one in range(len(samples))]
    statistic = 2 * float(np.sum(sums))
    return TestResult(statistic, float(stats.chi2.sf(statistic, 2 * (len(samples) - 1))))
