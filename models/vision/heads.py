"""Decoders of network outputs: boxes, classes and scores from the output tensor of each network family."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.registry import VisionFacts, WeightsError

_STRIDES = (8, 16, 32)  # pixels per grid cell in YOLOX's three levels


class WrongHead(WeightsError):
    """A network's output does not have the form that its registry entry states."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate boxes of a network for one picture, before thresholds and non-maximum suppression.

    Attributes:
        corners: (n, 4) x1 y1 x2 y2 in pixels of the network's input.
        scores: (n,) 0..1.
        classes: (n,) indices into the entry's list of classes.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]


def check_shape(shape: tuple[int, ...], facts: VisionFacts) -> None:
    """Verify that an output shape, with the batch as the first axis, matches the head of the registry entry.

    Raises:
        WrongHead: the shape does not match.
    """
    count = len(facts.classes)
    expected = {
        "yolox": (_grid_cells(facts), 5 + count),
        "yolov8": (4 + count, _grid_cells(facts)),
        "end2end": (None, 6),
    }[facts.head]
    rest = shape[1:]
    if len(rest) != 2 or any(axis and got not in (axis, -1) for axis, got in zip(expected, rest, strict=True)):
        wanted = ", ".join("any" if axis is None else str(axis) for axis in expected)
        raise WrongHead(
            f"output of shape {shape}: head {facts.head!r} with {count} classes at {facts.width} x {facts.height} "
            f"expects (batch, {wanted})"
        )


def read_head(output: NDArray[np.float32], facts: VisionFacts) -> Candidates:
    """Decode the output for one picture, without its batch axis; the returned scores are calibrated."""
    if facts.head == "yolox":
        decoded = _yolox(output, facts)
    elif facts.head == "yolov8":
        decoded = _yolov8(output)
    else:
        decoded = Candidates(output[:, :4], _clip_to_unit(output[:, 4]), np.rint(output[:, 5]).astype(np.int64))
    if facts.temperature == 1:
        return decoded
    return replace(decoded, scores=calibrated(decoded.scores, facts.temperature))


def calibrated(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return scores with their logits divided by a temperature: sigmoid(logit(score) / temperature).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return (1 / (1 + ((1 - inside) / inside) ** (1 / temperature))).astype(np.float32)


def _grid_cells(facts: VisionFacts) -> int:
    return sum((facts.height // stride) * (facts.width // stride) for stride in _STRIDES)


def _yolox(rows: NDArray[np.float32], facts: VisionFacts) -> Candidates:
    """Decode (n, 5 + classes): centre offset in the cell, log size, objectness, class scores.

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
    # A size above e^20 cells is noise; the limit avoids an overflow.
    half = np.exp(np.minimum(rows[:, 2:4], 20)) * stride_px / 2
    scores = rows[:, 4:5] * rows[:, 5:]
    return _best_class(np.concatenate((centre - half, centre + half), 1), scores)


def _yolov8(columns: NDArray[np.float32]) -> Candidates:
    """Decode (4 + classes, n): centre and size in pixels, class scores (ultralytics' ``Detect`` head of v8 and 11)."""
    rows = columns.T
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    return _best_class(np.concatenate((centre - half, centre + half), 1), rows[:, 4:])


def _best_class(corners: NDArray[np.float32], scores: NDArray[np.float32]) -> Candidates:
    """Keep the class with the highest score of each box."""
    classes = scores.argmax(1)
    best = np.take_along_axis(scores, classes[:, None], 1)[:, 0]
    return Candidates(corners, _clip_to_unit(best), classes.astype(np.int64))


def _clip_to_unit(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(scores, 0, 1)
