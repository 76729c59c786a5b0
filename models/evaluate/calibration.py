"""Whether a confidence of 0.8 is right eight times in ten, and the one number that mends it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.matching import ScoredDetection

_FEW = 10  # finds: below, a bin says nothing


@dataclass(frozen=True, slots=True)
class Bin:
    """Finds of like confidence.

    Attributes:
        low: Lowest confidence, inclusive.
        high: Highest, exclusive.
        count: Finds in it.
        confidence: Their mean; nan where there are none.
        right: Share of them that is right; nan where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float


def reliability(finds: Sequence[ScoredDetection], bins: int = 10) -> list[Bin]:
    """Sort finds into bins of equal width."""
    confidences, right = _arrays(finds)
    result = []
    for at in range(bins):
        low, high = at / bins, (at + 1) / bins
        inside = (confidences >= low) & ((confidences < high) | (at == bins - 1))
        count = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if count else (np.nan, np.nan)
        result.append(Bin(low, high, count, *means))
    return result


def calibration_error(finds: Sequence[ScoredDetection], bins: int = 10) -> float:
    """Expected calibration error: the gap between confidence and share right, averaged over finds; nan without any.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    sorted_in = [one for one in reliability(finds, bins) if one.count]
    total = sum(one.count for one in sorted_in)
    return sum(one.count * abs(one.confidence - one.right) for one in sorted_in) / total if total else float("nan")


def fit_temperature(finds: Sequence[ScoredDetection]) -> float:
    """Find the temperature T for which sigmoid(logit(confidence) / T) fits best; 1 where there are too few finds.

    Above 1 the detector is too sure of itself. Source: Guo et al. 2017, section 4.2; least negative log likelihood,
    found by golden-section search between 0.2 and 5.
    """
    confidences, right = _arrays(finds)
    if len(finds) < _FEW or right.min() == right.max():
        return 1.0
    logits = np.log(confidences / (1 - confidences))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(np.logaddexp(0, scaled) - right * scaled))

    low, high, golden = 0.2, 5.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        inner, outer = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, outer) if loss(inner) < loss(outer) else (inner, high)
    return round((low + high) / 2, 3)


def _arrays(finds: Sequence[ScoredDetection]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    confidences = np.clip([find.confidence for find in finds], 1e-6, 1 - 1e-6)
    return np.asarray(confidences, np.float64), np.array([find.right for find in finds], np.float64)
