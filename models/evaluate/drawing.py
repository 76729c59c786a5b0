"""Diagrams of an evaluation: precision-recall curves, reliability, and contact sheets of the worst errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captures.picture import read_picture
from contract import Box
from models.evaluate.calibration import reliability
from models.evaluate.curves import precision_recall_curve
from models.evaluate.labels import KINDS
from models.evaluate.matching import MatchedPicture, count_outcomes
from models.evaluate.vision import scored_detections

_SIDE, _EDGE = 460, 60  # plot area and margin of a diagram, in pixels
_COLOURS = {"animal": (60, 140, 40), "human": (40, 40, 210), "vehicle": (200, 110, 20)}  # blue green red
_TILE, _ACROSS = 300, 5

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One error of a detector in a picture: a missed ground-truth box, or a false alarm.

    Attributes:
        picture: The matched picture.
        box: The missed box, or the box of the false alarm.
        caption: Kind of error and kind of object, for people.
        weight: Severity: the area of the missed box, or the confidence of the false alarm.
    """

    picture: MatchedPicture
    box: Box
    caption: str
    weight: float


def draw_precision_recall(pictures: Sequence[MatchedPicture]) -> bytes:
    """Draw one precision-recall curve for each kind of object in the ground truth, and return the diagram as a PNG."""
    import cv2

    canvas = _axes("recall", "precision")
    for at, kind in enumerate(KINDS):
        counts = count_outcomes(pictures, kind)
        if not counts.truths:
            continue
        curve = precision_recall_curve(counts)
        points = [_point(recall, precision) for recall, precision in zip(curve.recall, curve.precision, strict=True)]
        cv2.polylines(canvas, [np.array(points, np.int32).reshape(-1, 1, 2)], False, _COLOURS[kind], 2, cv2.LINE_AA)
        _write(canvas, kind, (_EDGE + 12, _EDGE + _SIDE - 60 + 20 * at), _COLOURS[kind])
    return _png(canvas)


def draw_reliability(pictures: Sequence[MatchedPicture]) -> bytes:
    """Draw accuracy against confidence, and return the diagram as a PNG.

    Accuracy is vertical, confidence horizontal; each bin shows its number of detections.
    """
    import cv2

    canvas = _axes("confidence", "accuracy")
    cv2.line(canvas, _point(0, 0), _point(1, 1), (170, 170, 170), 1, cv2.LINE_AA)
    for entry in reliability(scored_detections(pictures)):
        if not entry.count:
            continue
        left, top = _point(entry.low + 0.01, entry.accuracy)
        right, bottom = _point(entry.high - 0.01, 0)
        cv2.rectangle(canvas, (left, top), (right, bottom), (190, 160, 90), -1)
        _write(canvas, str(entry.count), (left, max(top - 5, _EDGE - 5)), (90, 90, 90))
    return _png(canvas)


def worst_misses(pictures: Sequence[MatchedPicture], most: int = 40) -> list[Mistake]:
    """Return the largest ground-truth boxes that were not detected at any confidence, one per picture."""
    return _worst(
        (
            Mistake(matched, truth.box, f"missed {truth.kind}", truth.box.width * truth.box.height)
            for matched in pictures
            for truth, confidence in zip(matched.labelled.truths, matched.truth_confidences, strict=True)
            if not confidence
        ),
        most,
    )


def worst_false_alarms(pictures: Sequence[MatchedPicture], most: int = 40) -> list[Mistake]:
    """Return the wrong detections with the highest confidence, one per picture."""
    return _worst(
        (
            Mistake(matched, found.box, f"{found.observation_type} {found.confidence:.2f}", found.confidence)
            for matched in pictures
            for found, correct in zip(matched.detections, matched.correct, strict=True)
            if correct is False and found.box is not None
        ),
        most,
    )


def draw_sheet(mistakes: Sequence[Mistake]) -> bytes:
    """Draw a contact sheet of detection errors, and return it as a PNG.

    Ground-truth boxes are white, the error is red, and the file name is below the picture.
    """
    import cv2

    rows = max(1, -(-len(mistakes) // _ACROSS))
    sheet = np.full((rows * (_TILE + 40), _ACROSS * _TILE, 3), 245, np.uint8)
    for at, mistake in enumerate(mistakes):
        top, left = at // _ACROSS * (_TILE + 40), at % _ACROSS * _TILE
        pixels = read_picture(mistake.picture.labelled.path, _TILE).pixels.copy()
        scale = _TILE / max(pixels.shape[:2])
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale).astype(np.uint8)
        for truth in mistake.picture.labelled.truths:
            _frame(pixels, truth.box, (255, 255, 255))
        _frame(pixels, mistake.box, (0, 0, 255))
        height, width = pixels.shape[:2]
        sheet[top : top + height, left : left + width] = pixels[:_TILE, :_TILE]
        _write(sheet, mistake.caption, (left + 4, top + _TILE + 14), (0, 0, 200))
        _write(sheet, mistake.picture.labelled.path.name[-36:], (left + 4, top + _TILE + 32), (80, 80, 80))
    return _png(sheet)


def _worst(mistakes: Iterator[Mistake], most: int) -> list[Mistake]:
    best: dict[str, Mistake] = {}
    for mistake in mistakes:
        name = str(mistake.picture.labelled.path)
        if name not in best or mistake.weight > best[name].weight:
            best[name] = mistake
    return sorted(best.values(), key=lambda mistake: -mistake.weight)[:most]


def _axes(across: str, up: str) -> Picture:
    import cv2

    canvas = np.full((_SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE, 3), 255, np.uint8)
    for tenth in range(0, 11, 2):
        tick = tenth / 10
        cv2.line(canvas, _point(tick, 0), _point(tick, 1), (230, 230, 230), 1)
        cv2.line(canvas, _point(0, tick), _point(1, tick), (230, 230, 230), 1)
        _write(canvas, f"{tick:.1f}", (_point(tick, 0)[0] - 12, _EDGE + _SIDE + 20), (90, 90, 90))
        _write(canvas, f"{tick:.1f}", (_EDGE - 38, _point(0, tick)[1] + 5), (90, 90, 90))
    _write(canvas, across, (_EDGE + _SIDE // 2 - 30, _EDGE + _SIDE + 44), (40, 40, 40))
    _write(canvas, up, (_EDGE - 38, _EDGE - 18), (40, 40, 40))
    return canvas


def _point(across: float, up: float) -> tuple[int, int]:
    """Convert a point in the diagram, with coordinates in 0..1, to a pixel of the drawn image."""
    return round(_EDGE + across * _SIDE), round(_EDGE + (1 - up) * _SIDE)


def _write(canvas: Picture, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    import cv2

    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _frame(pixels: Picture, box: Box, colour: tuple[int, int, int]) -> None:
    import cv2

    height, width = pixels.shape[:2]
    corner = (round(box.x * width), round(box.y * height))
    cv2.rectangle(pixels, corner, (round((box.x + box.width) * width), round((box.y + box.height) * height)), colour, 2)


def _png(canvas: Picture) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", canvas)[1])
