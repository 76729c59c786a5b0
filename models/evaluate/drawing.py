"""Draws what an evaluation found: precision against recall, reliability, and sheets of the worst mistakes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captures.picture import read_picture
from contract import Box
from models.evaluate.calibration import reliability
from models.evaluate.curves import curve
from models.evaluate.labels import KINDS
from models.evaluate.matching import MatchedPicture, count_outcomes
from models.evaluate.vision import all_finds

_SIDE, _EDGE = 460, 60  # of a diagram, in pixels
_COLOURS = {"animal": (60, 140, 40), "human": (40, 40, 210), "vehicle": (200, 110, 20)}  # blue green red
_TILE, _ACROSS = 300, 5

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A thing missed, or a find that is wrong.

    Attributes:
        picture: Where.
        box: Of the thing, or of the find.
        words: What it is.
        weight: How bad: the area missed, or the confidence of the wrong find.
    """

    picture: MatchedPicture
    box: Box
    words: str
    weight: float


def draw_precision_recall(pictures: Sequence[MatchedPicture]) -> bytes:
    """Draw precision (up) against recall (right) for each kind that has boxes; PNG."""
    import cv2

    canvas = _axes("recall", "precision")
    for at, kind in enumerate(KINDS):
        counted = count_outcomes(pictures, kind)
        if not counted.things:
            continue
        drawn = curve(counted)
        places = [_place(recall, precision) for recall, precision in zip(drawn.recall, drawn.precision, strict=True)]
        cv2.polylines(canvas, [np.array(places, np.int32).reshape(-1, 1, 2)], False, _COLOURS[kind], 2, cv2.LINE_AA)
        _write(canvas, kind, (_EDGE + 12, _EDGE + _SIDE - 60 + 20 * at), _COLOURS[kind])
    return _png(canvas)


def draw_reliability(pictures: Sequence[MatchedPicture]) -> bytes:
    """Draw the share that is right (up) against the confidence (right), with the count of each bin; PNG."""
    import cv2

    canvas = _axes("confidence", "share right")
    cv2.line(canvas, _place(0, 0), _place(1, 1), (170, 170, 170), 1, cv2.LINE_AA)
    for one in reliability(all_finds(pictures)):
        if not one.count:
            continue
        left, top = _place(one.low + 0.01, one.right)
        right, bottom = _place(one.high - 0.01, 0)
        cv2.rectangle(canvas, (left, top), (right, bottom), (190, 160, 90), -1)
        _write(canvas, str(one.count), (left, max(top - 5, _EDGE - 5)), (90, 90, 90))
    return _png(canvas)


def worst_misses(pictures: Sequence[MatchedPicture], most: int = 40) -> list[Mistake]:
    """List the largest things that were not found at any confidence, one a picture."""
    return _worst(
        (
            Mistake(one, truth.box, f"missed {truth.kind}", truth.box.width * truth.box.height)
            for one in pictures
            for truth, found in zip(one.labelled.truths, one.missed, strict=True)
            if not found
        ),
        most,
    )


def worst_false_alarms(pictures: Sequence[MatchedPicture], most: int = 40) -> list[Mistake]:
    """List the most confident finds that are wrong, one a picture."""
    return _worst(
        (
            Mistake(one, found.box, f"{found.observation_type} {found.confidence:.2f}", found.confidence)
            for one in pictures
            for found, right in zip(one.detections, one.right, strict=True)
            if right is False and found.box is not None
        ),
        most,
    )


def draw_sheet(mistakes: Sequence[Mistake]) -> bytes:
    """Draw mistakes side by side: what a person marked in white, the mistake in red, the file's name below; PNG."""
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
        _write(sheet, mistake.words, (left + 4, top + _TILE + 14), (0, 0, 200))
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
        share = tenth / 10
        cv2.line(canvas, _place(share, 0), _place(share, 1), (230, 230, 230), 1)
        cv2.line(canvas, _place(0, share), _place(1, share), (230, 230, 230), 1)
        _write(canvas, f"{share:.1f}", (_place(share, 0)[0] - 12, _EDGE + _SIDE + 20), (90, 90, 90))
        _write(canvas, f"{share:.1f}", (_EDGE - 38, _place(0, share)[1] + 5), (90, 90, 90))
    _write(canvas, across, (_EDGE + _SIDE // 2 - 30, _EDGE + _SIDE + 44), (40, 40, 40))
    _write(canvas, up, (_EDGE - 38, _EDGE - 18), (40, 40, 40))
    return canvas


def _place(across: float, up: float) -> tuple[int, int]:
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
