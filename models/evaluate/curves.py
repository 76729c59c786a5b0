"""Precision and recall at every threshold, the average precision, and the threshold that serves a wish."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.matching import OutcomeCounts, ScoredDetection


@dataclass(frozen=True, slots=True)
class Curve:
    """What each threshold gives, the highest first.

    Attributes:
        thresholds: (n,) falling confidences.
        precision: (n,) right finds over all finds at or above the threshold.
        recall: (n,) right finds over things; nan where there is no thing.
        false: (n,) wrong finds at or above the threshold.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    false: NDArray[np.float64]


def curve(finds: OutcomeCounts) -> Curve:
    """Work out the curve of one kind."""
    ranked = sorted(finds.finds, key=lambda find: -find.confidence)
    confidences = np.array([find.confidence for find in ranked])
    right = np.cumsum([find.right for find in ranked]) if ranked else np.zeros(0)
    count = np.arange(1, len(ranked) + 1)
    # Equal confidences enter together: a threshold cannot part them.
    last = np.flatnonzero(np.append(np.diff(confidences) != 0, True)) if ranked else np.zeros(0, np.int64)
    recall = right / finds.things if finds.things else np.full(len(ranked), np.nan)
    precision = right / count if ranked else np.zeros(0)
    return Curve(confidences[last], precision[last], recall[last], (count - right)[last])


def average_precision(finds: OutcomeCounts) -> float:
    """Mean of the best precision at 101 recalls from 0 to 1; nan where there is no thing.

    Source: COCO's detection metric (Lin et al. 2014, "Microsoft COCO", and ``COCOeval.accumulate`` of pycocotools),
    here at one overlap, 0.5.
    """
    if not finds.things:
        return float("nan")
    drawn = curve(finds)
    if not drawn.precision.size:
        return 0.0
    best_beyond = np.maximum.accumulate(drawn.precision[::-1])[::-1]
    places = np.searchsorted(drawn.recall, np.linspace(0, 1, 101), side="left")
    reached = places < best_beyond.size
    return float(np.where(reached, best_beyond[np.minimum(places, best_beyond.size - 1)], 0).mean())


def at_threshold(finds: OutcomeCounts, threshold: float) -> tuple[float, float]:
    """Give precision and recall at a threshold; nan where they have no meaning."""
    kept = [find for find in finds.finds if find.confidence >= threshold]
    right = sum(find.right for find in kept)
    return (right / len(kept) if kept else float("nan")), (right / finds.things if finds.things else float("nan"))


def threshold_for_precision(finds: OutcomeCounts, wanted: float) -> float | None:
    """Find the lowest threshold from which the precision is at least as wanted; None where there is none."""
    drawn = curve(finds)
    enough = np.flatnonzero(drawn.precision >= wanted)
    return float(drawn.thresholds[enough[-1]]) if enough.size else None


def threshold_for_false_alarms(finds: Sequence[ScoredDetection], allowed: float) -> float:
    """Find the lowest threshold with at most so many wrong finds in all; just above 1 where none will do."""
    wrong = sorted((find.confidence for find in finds if not find.right), reverse=True)
    if len(wrong) <= allowed:
        return 0.0
    return float(np.nextafter(wrong[int(allowed)], 2))
