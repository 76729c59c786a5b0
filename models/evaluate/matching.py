"""Matches detections with ground truth: which detections are correct, and which objects were missed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from contract import Box, Detection
from models.evaluate.labels import Kind, LabelledPicture

MIN_IOU = 0.5  # intersection over union from which a detection matches a ground-truth box: the 50 of AP50


@dataclass(frozen=True, slots=True)
class ScoredDetection:
    """The confidence of a detection, and whether the detection is correct according to the ground truth.

    Attributes:
        confidence: 0..1.
        correct: Whether it matches a ground-truth object that no detection of higher confidence matches.
    """

    confidence: float
    correct: bool


@dataclass(slots=True)
class OutcomeCounts:
    """All scored detections of one kind, and the number of ground-truth boxes of that kind.

    Attributes:
        detections: In any order.
        truths: Number of ground-truth boxes.
    """

    detections: list[ScoredDetection] = field(default_factory=list)
    truths: int = 0


@dataclass(frozen=True, slots=True)
class MatchedPicture:
    """One picture with its detections matched to the ground truth.

    Attributes:
        labelled: The picture and its labels.
        detections: Sorted by confidence, highest first.
        correct: For each detection, whether it is correct; None if its kind was not labelled.
        truth_confidences: For each ground-truth box, the confidence of the matching detection; 0 if it was missed.
    """

    labelled: LabelledPicture
    detections: tuple[Detection, ...]
    correct: tuple[bool | None, ...]
    truth_confidences: tuple[float, ...]


def match_detections(labelled: LabelledPicture, detections: Sequence[Detection]) -> MatchedPicture:
    """Match the detections in a picture to its ground-truth boxes, as in PASCAL VOC and COCO.

    Detections are matched in order of confidence, highest first; each box is matched at most once.

    In a picture that is labelled as a whole, a detection is correct if the picture shows its kind.
    """
    ranked = sorted(detections, key=lambda detection: -detection.confidence)
    found = [0.0] * len(labelled.truths)
    correct: list[bool | None] = []
    for detection in ranked:
        if detection.observation_type not in labelled.known:
            correct.append(None)
        elif labelled.shows is not None:
            correct.append(detection.observation_type in labelled.shows)
        else:
            at = _best_match(labelled, detection, found)
            correct.append(at is not None)
            if at is not None:
                found[at] = detection.confidence
    return MatchedPicture(labelled, tuple(ranked), tuple(correct), tuple(found))


def count_outcomes(pictures: Sequence[MatchedPicture], kind: Kind) -> OutcomeCounts:
    """Collect the detections of one kind in many pictures, and count the ground-truth boxes of that kind.

    Pictures that are labelled as a whole are left out unless they are empty.
    """
    result = OutcomeCounts()
    for picture in pictures:
        if picture.labelled.shows:
            continue
        result.truths += sum(truth.kind == kind for truth in picture.labelled.truths)
        for detection, correct in zip(picture.detections, picture.correct, strict=True):
            if detection.observation_type == kind and correct is not None:
                result.detections.append(ScoredDetection(detection.confidence, correct))
    return result


def intersection_over_union(first: Box, second: Box) -> float:
    """Return the area of the intersection of two boxes divided by the area of their union, 0..1."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (first.width * first.height + second.width * second.height - both)


def _best_match(labelled: LabelledPicture, detection: Detection, found: Sequence[float]) -> int | None:
    """Return the index of the unmatched ground-truth box that overlaps a detection most, with the same kind.

    It is None if no overlap reaches ``MIN_IOU``.
    """
    best, best_at = MIN_IOU, None
    for at, truth in enumerate(labelled.truths):
        if found[at] or truth.kind != detection.observation_type or detection.box is None:
            continue
        overlap = intersection_over_union(truth.box, detection.box)
        if overlap >= best:
            best, best_at = overlap, at
    return best_at
