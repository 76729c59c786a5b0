"""Decodes the output formats ("heads") of object-detection networks into boxes, classes and scores."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.registry import VisionFacts, WeightsError

_STRIDES = (8, 16, 32)  # pixels per grid cell in YOLOX's three levels


class WrongHead(WeightsError):
    """The shape of a network's output tensor differs from the shape that its registry entry implies."""


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
    """Verify that the shape of a network's output, including the batch axis, matches the head in its registry entry.

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
    """Decode a network's output for one picture into boxes with calibrated scores.

    The output has no batch axis.
    """
    if facts.head == "yolox":
        decoded = _yolox(output, facts)
    elif facts.head == "yolov8":
        decoded = _yolov8(output)
    else:
        decoded = Candidates(output[:, :4], _clip_to_unit(output[:, 4]), np.rint(output[:, 5]).astype(np.int64))
    if facts.temperature == 1 and not facts.temperatures:
        return decoded
    by_class = np.array([facts.temperatures.get(name, facts.temperature) for name in facts.classes])
    known = np.clip(decoded.classes, 0, len(by_class) - 1)  # detections of other classes are dropped later
    return replace(decoded, scores=calibrated(decoded.scores, by_class[known]))


def calibrated(scores: NDArray[np.float32], temperature: float | NDArray[np.float64]) -> NDArray[np.float32]:
    """Calibrate scores by dividing their logits by temperatures: sigmoid(logit(score) / temperature).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return (1 / (1 + ((1 - inside) / inside) ** (1 / temperature))).astype(np.float32)


def _grid_cells(facts: VisionFacts) -> int:
    return sum((facts.height // stride) * (facts.width // stride) for stride in _STRIDES)


def _yolox(rows: NDArray[np.float32], facts: VisionFacts) -> Candidates:
    """Decode a YOLOX output of shape (n, 5 + classes) into candidate boxes.

    A row contains the offset of the box's centre from its grid cell, the logarithm of the box's size, the objectness
    and the class scores.

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
    """Decode a YOLOv8 or YOLO11 output of shape (4 + classes, n) into candidate boxes.

    A column contains the centre and the size of a box in pixels, and the class scores. This is the output of
    the ``Detect`` head of ultralytics' v8 and 11.
    """
    rows = columns.T
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    return _best_class(np.concatenate((centre - half, centre + half), 1), rows[:, 4:])


def _best_class(corners: NDArray[np.float32], scores: NDArray[np.float32]) -> Candidates:
    """Return candidates from boxes and class scores; each box gets its class with the highest score."""
    classes = scores.argmax(1)
    best = np.take_along_axis(scores, classes[:, None], 1)[:, 0]
    return Candidates(corners, _clip_to_unit(best), classes.astype(np.int64))


def _clip_to_unit(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(scores, 0, 1)
