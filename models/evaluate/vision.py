"""Judges a vision model on labelled pictures and says it in figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from models.evaluate.calibration import calibration_error, fit_temperature
from models.evaluate.curves import at_threshold, average_precision
from models.evaluate.labels import KINDS, Kind, Labelled
from models.evaluate.matching import MatchedPicture, OutcomeCounts, ScoredDetection, count_outcomes, match_detections
from models.vision import VisionDetector, detect_in_pictures


@dataclass(frozen=True, slots=True)
class KindFigures:
    """How good it is on one kind.

    Attributes:
        kind: Which.
        things: Boxes that are there.
        ap50: Average precision at an overlap of 0.5; nan where there are no boxes.
        precision: At the model's threshold.
        recall: At the model's threshold.
        shown: Pictures labelled as a whole that show it.
        seen: Of those, the ones in which it was found at the threshold.
    """

    kind: Kind
    things: int
    ap50: float
    precision: float
    recall: float
    shown: int
    seen: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a detector is.

    Attributes:
        pictures: Every picture that could be used, judged down to the lowest confidence asked for.
        unusable: The others, with the reason.
        kinds: Figures of each kind that occurs.
        map50: Mean AP50 of the kinds with boxes; nan where there are none.
        blank: Pictures known to be empty.
        blank_alarms: Of those, the ones in which something was found at the threshold.
        calibration_error: Of all finds.
        temperature: That would mend it best.
    """

    pictures: tuple[MatchedPicture, ...]
    unusable: tuple[tuple[Path, str], ...]
    kinds: tuple[KindFigures, ...]
    map50: float
    blank: int
    blank_alarms: int
    calibration_error: float
    temperature: float


Threshold = Callable[[Kind], float]


def evaluate(
    detector: VisionDetector,
    labelled: Sequence[Labelled],
    threshold: Threshold,
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Look at every picture and judge what was found.

    Args:
        detector: Opened with a threshold far below the one in use (0.01), so that the whole curve is seen.
        labelled: The pictures.
        threshold: The one in use, for each kind.
        done: Called with the number of pictures done.
    """
    judged, unusable = [], []
    for number, (known, looked) in enumerate(
        zip(labelled, detect_in_pictures(detector, [one.path for one in labelled]), strict=True), 1
    ):
        if looked.problem is None:
            judged.append(match_detections(known, looked.detections))
        else:
            unusable.append((looked.path, str(looked.problem)))
        if done is not None:
            done(number)
    return summarise(judged, unusable, threshold)


def summarise(
    pictures: Sequence[MatchedPicture], unusable: Sequence[tuple[Path, str]], threshold: Threshold
) -> Evaluation:
    """Work the figures out of judged pictures: all of them, or those of one source, of day or of night."""
    tallies = {kind: count_outcomes(pictures, kind) for kind in KINDS}
    figures = [_figures(kind, tallies[kind], pictures, threshold(kind)) for kind in KINDS]
    present = [one for one in figures if one.things or one.shown]
    known = [one.ap50 for one in present if one.things]
    finds = [find for one in tallies.values() for find in one.finds]
    blank = [
        one for one in pictures if not one.labelled.truths and not one.labelled.shows and len(one.labelled.known) == 3
    ]
    return Evaluation(
        tuple(pictures),
        tuple(unusable),
        tuple(present),
        fmean(known) if known else float("nan"),
        len(blank),
        sum(_alarms(one, threshold) for one in blank),
        calibration_error(finds),
        fit_temperature(finds),
    )


def all_finds(pictures: Sequence[MatchedPicture]) -> list[ScoredDetection]:
    """Every find that is known to be right or wrong."""
    return [find for kind in KINDS for find in count_outcomes(pictures, kind).finds]


def _figures(kind: Kind, counted: OutcomeCounts, pictures: Sequence[MatchedPicture], threshold: float) -> KindFigures:
    precision, recall = at_threshold(counted, threshold)
    shown = [one for one in pictures if one.labelled.shows and kind in one.labelled.shows]
    seen = sum(
        any(found.observation_type == kind and found.confidence >= threshold for found in one.detections)
        for one in shown
    )
    return KindFigures(kind, counted.things, average_precision(counted), precision, recall, len(shown), seen)


def _alarms(picture: MatchedPicture, threshold: Threshold) -> bool:
    return any(
        found.confidence >= threshold(kind)
        for found in picture.detections
        for kind in KINDS
        if found.observation_type == kind
    )
