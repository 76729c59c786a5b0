"""Calibration of confidences: reliability bins, expected calibration error and temperature scaling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.matching import ScoredDetection

_MIN_DETECTIONS = 10  # fewer are not enough to fit a temperature


@dataclass(frozen=True, slots=True)
class Bin:
    """Number, mean confidence and accuracy of the detections within one interval of confidence.

    Attributes:
        low: Lowest confidence, inclusive.
        high: Highest confidence, exclusive, but inclusive in the last bin.
        count: Number of detections.
        confidence: Mean confidence; nan if there are no detections.
        accuracy: Fraction of the detections that is correct; nan if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(detections: Sequence[ScoredDetection], bins: int = 10) -> list[Bin]:
    """Group detections into confidence bins of equal width, for a reliability diagram."""
    confidences, correct = _arrays(detections)
    result = []
    for at in range(bins):
        low, high = at / bins, (at + 1) / bins
        inside = (confidences >= low) & ((confidences < high) | (at == bins - 1))
        count = int(inside.sum())
        means = (float(confidences[inside].mean()), float(correct[inside].mean())) if count else (np.nan, np.nan)
        result.append(Bin(low, high, count, *means))
    return result


def calibration_error(detections: Sequence[ScoredDetection], bins: int = 10) -> float:
    """Return the expected calibration error: mean gap between confidence and accuracy; nan without detections.

    The mean over the bins is weighted by their number of detections.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    filled = [entry for entry in reliability(detections, bins) if entry.count]
    total = sum(entry.count for entry in filled)
    gaps = sum(entry.count * abs(entry.confidence - entry.accuracy) for entry in filled)
    return gaps / total if total else float("nan")


def fit_temperature(detections: Sequence[ScoredDetection]) -> float:
    """Return the temperature T for which the confidences sigmoid(logit(confidence) / T) are calibrated best.

    T is 1 for fewer than 10 detections, and if all detections are correct or all are wrong. T above 1 means that the
    detector is overconfident. The fit minimises the negative log likelihood by golden-section search between 0.2 and 5.
    Source: Guo et al. 2017, section 4.2.
    """
    confidences, correct = _arrays(detections)
    if len(detections) < _MIN_DETECTIONS or correct.min() == correct.max():
        return 1.0
    logits = np.log(confidences / (1 - confidences))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(np.logaddexp(0, scaled) - correct * scaled))

    low, high, golden = 0.2, 5.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        inner, outer = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, outer) if loss(inner) < loss(outer) else (inner, high)
    return round((low + high) / 2, 3)


def _arrays(detections: Sequence[ScoredDetection]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    confidences = np.clip([detection.confidence for detection in detections], 1e-6, 1 - 1e-6)
    return np.asarray(confidences, np.float64), np.array([detection.correct for detection in detections], np.float64)
