"""Evaluation of a vision detector on labelled pictures: AP50, precision, recall, false alarms and calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from models.evaluate.calibration import calibration_error, fit_temperature
from models.evaluate.curves import average_precision, precision_and_recall
from models.evaluate.labels import KINDS, Kind, LabelledPicture
from models.evaluate.matching import MatchedPicture, OutcomeCounts, ScoredDetection, count_outcomes, match_detections
from models.vision import VisionDetector, detect_in_pictures


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Accuracy figures of a vision detector for one kind of object.

    Attributes:
        kind: The kind.
        truths: Number of ground-truth boxes.
        ap50: Average precision at an overlap of 0.5; nan if there are no ground-truth boxes.
        precision: Precision at the model's threshold.
        recall: Recall at the model's threshold.
        shown: Number of pictures labelled as a whole with this kind.
        seen: Number of those in which the kind was detected at the threshold.
    """

    kind: Kind
    truths: int
    ap50: float
    precision: float
    recall: float
    shown: int
    seen: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy figures of a vision detector on a set of labelled pictures.

    Attributes:
        pictures: All readable pictures with matched detections, down to the detector's lowest confidence.
        unusable: Pictures that could not be read, with the reason.
        kinds: Figures of each kind that occurs in the labels.
        map50: Mean AP50 of the kinds with ground-truth boxes; nan if there are none.
        blank: Number of pictures labelled as empty.
        blank_alarms: Number of those with a detection at the threshold.
        calibration_error: Expected calibration error of all detections.
        temperature: The temperature that calibrates the detections best.
    """

    pictures: tuple[MatchedPicture, ...]
    unusable: tuple[tuple[Path, str], ...]
    kinds: tuple[KindFigures, ...]
    map50: float
    blank: int
    blank_alarms: int
    calibration_error: float
    temperature: float


Threshold = Callable[[Kind], float]  # returns the threshold of a kind


def evaluate(
    detector: VisionDetector,
    labelled: Sequence[LabelledPicture],
    threshold: Threshold,
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run a vision detector on labelled pictures, and compute its accuracy figures.

    Args:
        detector: Opened with a threshold far below the one in use (0.01), so that the curve is complete.
        labelled: The labelled pictures.
        threshold: Returns the threshold in use for each kind.
        done: Called with the number of processed pictures.
    """
    matched, unusable = [], []
    results = detect_in_pictures(detector, [picture.path for picture in labelled])
    for number, (picture, result) in enumerate(zip(labelled, results, strict=True), 1):
        if result.problem is None:
            matched.append(match_detections(picture, result.detections))
        else:
            unusable.append((result.path, str(result.problem)))
        if done is not None:
            done(number)
    return summarise(matched, unusable, threshold)


def summarise(
    pictures: Sequence[MatchedPicture], unusable: Sequence[tuple[Path, str]], threshold: Threshold
) -> Evaluation:
    """Compute the accuracy figures of a set of pictures whose detections were matched with the ground truth."""
    counts = {kind: count_outcomes(pictures, kind) for kind in KINDS}
    figures = [_figures(kind, counts[kind], pictures, threshold(kind)) for kind in KINDS]
    present = [entry for entry in figures if entry.truths or entry.shown]
    known = [entry.ap50 for entry in present if entry.truths]
    detections = scored_detections(pictures)
    blank = [
        picture
        for picture in pictures
        if not picture.labelled.truths and not picture.labelled.shows and len(picture.labelled.known) == 3
    ]
    return Evaluation(
        tuple(pictures),
        tuple(unusable),
        tuple(present),
        fmean(known) if known else float("nan"),
        len(blank),
        sum(_has_alarm(picture, threshold) for picture in blank),
        calibration_error(detections),
        fit_temperature(detections),
    )


def scored_detections(pictures: Sequence[MatchedPicture]) -> list[ScoredDetection]:
    """Return confidence and correctness of every detection whose kind is labelled in its picture."""
    return [detection for kind in KINDS for detection in count_outcomes(pictures, kind).detections]


def _figures(kind: Kind, counts: OutcomeCounts, pictures: Sequence[MatchedPicture], threshold: float) -> KindFigures:
    precision, recall = precision_and_recall(counts, threshold)
    shown = [picture for picture in pictures if picture.labelled.shows and kind in picture.labelled.shows]
    seen = sum(
        any(found.observation_type == kind and found.confidence >= threshold for found in picture.detections)
        for picture in shown
    )
    return KindFigures(kind, counts.truths, average_precision(counts), precision, recall, len(shown), seen)


def _has_alarm(picture: MatchedPicture, threshold: Threshold) -> bool:
    return any(
        found.confidence >= threshold(kind)
        for found in picture.detections
        for kind in KINDS
        if found.observation_type == kind
    )
