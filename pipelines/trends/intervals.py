"""Intervals of rates whose counts vary more between stations than a Poisson distribution allows."""

import numpy as np
from numpy.typing import NDArray

from pipelines.trends.negative_binomial import fit_negative_binomial
from pipelines.trends.rates import DAYS, LEAST_EFFORT_DAYS, Rate, poisson_rate

MIN_STATIONS = 3


def station_rate(
    counts: NDArray[np.int64],
    effort_days: NDArray[np.float64],
    confidence: float = 0.95,
    least_days: float = LEAST_EFFORT_DAYS,
) -> Rate:
    """Return the rate of several stations with an interval from a negative-binomial regression.

    The regression has an intercept only and the logarithm of the effort as offset (Venables & Ripley 2002, 7.4). With
    fewer than three stations or without any record it cannot be fitted; the interval is then the exact Poisson one.

    Args:
        counts: (k,) independent records of each station.
        effort_days: (k,) effort of each station; stations without effort are left out.
        confidence: Confidence of the interval.
        least_days: With less effort in all, the rate is not known.
    """
    known = effort_days > 0
    counts, effort_days = counts[known], effort_days[known]
    pooled = poisson_rate(int(counts.sum()), float(effort_days.sum()), confidence, least_days)
    if len(counts) < MIN_STATIONS or not pooled.count or pooled.per_100_days is None:
        return pooled
    fit = fit_negative_binomial(counts.astype(float), np.ones((len(counts), 1)), effort_days)
    low, high = fit.interval(confidence)
    rate = DAYS * float(np.exp(fit.coefficients[0]))
    return Rate(pooled.count, pooled.effort_days, rate, DAYS * float(np.exp(low[0])), DAYS * float(np.exp(high[0])))
