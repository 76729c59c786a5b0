"""Precision-recall curve, average precision, and thresholds for a required precision or number of false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.matching import OutcomeCounts, ScoredDetection


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision and recall at each threshold, highest threshold first.

    Attributes:
        thresholds: (n,) confidences in descending order.
        precision: (n,) correct detections divided by all detections at or above the threshold.
        recall: (n,) correct detections divided by ground-truth boxes; nan if there are none.
        false_positives: (n,) number of wrong detections at or above the threshold.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    false_positives: NDArray[np.float64]


def precision_recall_curve(counts: OutcomeCounts) -> Curve:
    """Compute the precision-recall curve of one kind."""
    ranked = sorted(counts.detections, key=lambda detection: -detection.confidence)
    confidences = np.array([detection.confidence for detection in ranked])
    correct = np.cumsum([detection.correct for detection in ranked]) if ranked else np.zeros(0)
    count = np.arange(1, len(ranked) + 1)
    # Detections of equal confidence are one point of the curve, because no threshold separates them.
    last = np.flatnonzero(np.append(np.diff(confidences) != 0, True)) if ranked else np.zeros(0, np.int64)
    recall = correct / counts.truths if counts.truths else np.full(len(ranked), np.nan)
    precision = correct / count if ranked else np.zeros(0)
    return Curve(confidences[last], precision[last], recall[last], (count - correct)[last])


def average_precision(counts: OutcomeCounts) -> float:
    """Return the mean of the best precision at 101 recalls from 0 to 1; nan if there is no ground-truth box.

    Source: COCO's detection metric (Lin et al. 2014, "Microsoft COCO", and ``COCOeval.accumulate`` of pycocotools),
    here at one overlap, 0.5.
    """
    if not counts.truths:
        return float("nan")
    curve = precision_recall_curve(counts)
    if not curve.precision.size:
        return 0.0
    # The best precision at this recall or a higher one.
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    indices = np.searchsorted(curve.recall, np.linspace(0, 1, 101), side="left")
    reached = indices < best.size
    return float(np.where(reached, best[np.minimum(indices, best.size - 1)], 0).mean())


def precision_and_recall(counts: OutcomeCounts, threshold: float) -> tuple[float, float]:
    """Return precision and recall at a threshold; nan for a precision without detections or a recall without boxes."""
    kept = [detection for detection in counts.detections if detection.confidence >= threshold]
    correct = sum(detection.correct for detection in kept)
    precision = correct / len(kept) if kept else float("nan")
    return precision, (correct / counts.truths if counts.truths else float("nan"))


def threshold_for_precision(counts: OutcomeCounts, minimum: float) -> float | None:
    """Return the lowest threshold at which the precision is at least ``minimum``; None if there is none."""
    curve = precision_recall_curve(counts)
    enough = np.flatnonzero(curve.precision >= minimum)
    return float(curve.thresholds[enough[-1]]) if enough.size else None


def threshold_for_false_alarms(detections: Sequence[ScoredDetection], allowed: float) -> float:
    """Return the lowest threshold with at most ``allowed`` wrong detections in total; it can be just above 1."""
    wrong = sorted((detection.confidence for detection in detections if not detection.correct), reverse=True)
    if len(wrong) <= allowed:
        return 0.0
    return float(np.nextafter(wrong[int(allowed)], 2))
