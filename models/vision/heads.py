"""Reads boxes, classes and scores out of the numbers that each family of networks gives."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.registry import VisionFacts, WeightsError

_STRIDES = (8, 16, 32)  # of YOLOX's three levels


class WrongHead(WeightsError):
    """A network's output does not have the form that its registry entry names."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network proposes for one picture.

    Attributes:
        corners: (n, 4) x1 y1 x2 y2 in pixels of the network's input.
        scores: (n,) 0..1.
        classes: (n,) place in the entry's list of classes.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]


def check_shape(shape: tuple[int, ...], facts: VisionFacts) -> None:
    """Make sure that an output of this shape, with its batch as first axis, is what the head means.

    Raises:
        WrongHead: it is not.
    """
    count = len(facts.classes)
    expected = {
        "yolox": (_grid_cells(facts), 5 + count),
        "yolov8": (4 + count, _grid_cells(facts)),
        "end2end": (None, 6),
    }[facts.head]
    rest = shape[1:]
    if len(rest) != 2 or any(want and got not in (want, -1) for want, got in zip(expected, rest, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in expected)
        raise WrongHead(
            f"output of shape {shape}: head {facts.head!r} with {count} classes at {facts.width} x {facts.height} "
            f"expects (batch, {wanted})"
        )


def read_head(output: NDArray[np.float32], facts: VisionFacts) -> Candidates:
    """Read one picture's output, without its batch axis; scores are calibrated."""
    if facts.head == "yolox":
        read = _yolox(output, facts)
    elif facts.head == "yolov8":
        read = _yolov8(output)
    else:
        read = Candidates(output[:, :4], _unit(output[:, 4]), np.rint(output[:, 5]).astype(np.int64))
    return replace(read, scores=calibrated(read.scores, facts.temperature)) if facts.temperature != 1 else read


def calibrated(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Divide the logits of scores by a temperature: sigmoid(logit(score) / temperature).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return (1 / (1 + ((1 - inside) / inside) ** (1 / temperature))).astype(np.float32)


def _grid_cells(facts: VisionFacts) -> int:
    return sum((facts.height // stride) * (facts.width // stride) for stride in _STRIDES)


def _yolox(rows: NDArray[np.float32], facts: VisionFacts) -> Candidates:
    """Decode (n, 5 + classes): centre offset within the cell, log size, objectness, class scores.

    Source: Ge et al. 2021, "YOLOX", and ``demo_postprocess`` of Megvii-BaseDetection/YOLOX.
    """
    cells, strides = [], []
    for stride in _STRIDES:
        across, down = facts.width // stride, facts.height // stride
        x, y = np.meshgrid(np.arange(across), np.arange(down))
        cells.append(np.stack((x, y), 2).reshape(-1, 2))
        strides.append(np.full((across * down, 1), stride))
    cell, stride_px = np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
    centre = (rows[:, :2] + cell) * stride_px
    # A size beyond e^20 cells is noise; it must not overflow.
    half = np.exp(np.minimum(rows[:, 2:4], 20)) * stride_px / 2
    scores = rows[:, 4:5] * rows[:, 5:]
    return _best(np.concatenate((centre - half, centre + half), 1), scores)


def _yolov8(columns: NDArray[np.float32]) -> Candidates:
    """Decode (4 + classes, n): centre and size in pixels, class scores (ultralytics' ``Detect`` head of v8 and 11)."""
    rows = columns.T
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    return _best(np.concatenate((centre - half, centre + half), 1), rows[:, 4:])


def _best(corners: NDArray[np.float32], scores: NDArray[np.float32]) -> Candidates:
    """Keep each box's most likely class."""
    classes = scores.argmax(1)
    best = np.take_along_axis(scores, classes[:, None], 1)[:, 0]
    return Candidates(corners, _unit(best), classes.astype(np.int64))


def _unit(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(scores, 0, 1)
