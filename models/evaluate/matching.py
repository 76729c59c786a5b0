"""Puts what a detector found beside what is there: which finds are right, and what was missed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from contract import Box, Detection
from models.evaluate.labels import Kind, Labelled

SAME = 0.5  # share of the union from which a find counts as the thing: the 50 of AP50


@dataclass(frozen=True, slots=True)
class ScoredDetection:
    """One detection, judged.

    Attributes:
        confidence: 0..1.
        right: Whether it is there, and not already found with more confidence.
    """

    confidence: float
    right: bool


@dataclass(slots=True)
class OutcomeCounts:
    """All finds of one kind, and how many things there were.

    Attributes:
        finds: In any order.
        things: Boxes that a person drew.
    """

    finds: list[ScoredDetection] = field(default_factory=list)
    things: int = 0


@dataclass(frozen=True, slots=True)
class MatchedPicture:
    """One picture, judged.

    Attributes:
        labelled: What is known of it.
        detections: What was found.
        right: For each detection, whether it is there; None where its kind was not looked for.
        missed: For each truth, the confidence with which it was found; 0 where it was not.
    """

    labelled: Labelled
    detections: tuple[Detection, ...]
    right: tuple[bool | None, ...]
    missed: tuple[float, ...]


def match_detections(labelled: Labelled, detections: Sequence[Detection]) -> MatchedPicture:
    """Match detections to truths, the most confident first, each truth once, as PASCAL VOC and COCO do.

    A picture labelled as a whole has no boxes: a find is right where its kind is shown.
    """
    ranked = sorted(detections, key=lambda detection: -detection.confidence)
    found = [0.0] * len(labelled.truths)
    right: list[bool | None] = []
    for detection in ranked:
        if detection.observation_type not in labelled.known:
            right.append(None)
        elif labelled.shows is not None:
            right.append(detection.observation_type in labelled.shows)
        else:
            at = _nearest(labelled, detection, found)
            right.append(at is not None)
            if at is not None:
                found[at] = detection.confidence
    return MatchedPicture(labelled, tuple(ranked), tuple(right), tuple(found))


def count_outcomes(pictures: Sequence[MatchedPicture], kind: Kind) -> OutcomeCounts:
    """Collect the finds of one kind over pictures that have boxes, or are known to be empty."""
    result = OutcomeCounts()
    for picture in pictures:
        if picture.labelled.shows:
            continue
        result.things += sum(truth.kind == kind for truth in picture.labelled.truths)
        for detection, right in zip(picture.detections, picture.right, strict=True):
            if detection.observation_type == kind and right is not None:
                result.finds.append(ScoredDetection(detection.confidence, right))
    return result


def intersection_over_union(first: Box, second: Box) -> float:
    """The two boxes' intersection over their union, 0..1."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (first.width * first.height + second.width * second.height - both)


def _nearest(labelled: Labelled, detection: Detection, found: Sequence[float]) -> int | None:
    best, best_at = SAME, None
    for at, truth in enumerate(labelled.truths):
        if found[at] or truth.kind != detection.observation_type or detection.box is None:
            continue
        share = intersection_over_union(truth.box, detection.box)
        if share >= best:
            best, best_at = share, at
    return best_at
