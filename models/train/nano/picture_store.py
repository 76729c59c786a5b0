"""Keeps all training pictures with their boxes in the memory of the device, so that batches are made there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from captures.decoded import Unreadable
from captures.picture import read_picture, shrink
from models.cpu_cores import cores
from models.evaluate.labels import KINDS
from models.train.manifest import ManifestRow
from models.train.nano.loss import ABSENT, BOX

SIDE = 416  # longest side of a stored picture, in pixels: 0.5 MB, or 17 GB for 33,000 pictures
PADDING = 114
MAX_BOXES = 40
_TAUGHT_WEIGHT = 0.3  # of empty cells in pictures whose boxes a detector drew: it misses some objects
_CHUNK = 512


class PictureStore:
    """Training pictures at full and at half size, with boxes and weights of empty cells, on one device.

    Attributes:
        device: The torch device.
        flat: (pixels, 3) uint8, RGB: all pictures at full size, then all at half size.
        half_at: Index of the first pixel of the half-size pictures.
        sizes: (n, 2) float, width and height in pixels.
        boxes: (n, MAX_BOXES, 6) float: kind, corners in pixels, and BOX or ABSENT.
        empty_weights: (n, 3) float, how much an empty cell counts for each kind.
        chances: (n,) float, probability of each picture in a batch.
    """

    def __init__(self, rows: Sequence[ManifestRow], device: str) -> None:
        """Read the pictures of a manifest; pictures that cannot be read are left out.

        Raises:
            ValueError: no picture can be read.
        """
        with ThreadPoolExecutor(cores()) as pool:
            read = [
                (row, pixels) for row, pixels in zip(rows, pool.map(_read, rows), strict=True) if pixels is not None
            ]
        if not read:
            raise ValueError(f"none of {len(rows)} pictures can be read")
        self.device, self.count = device, len(read)
        half = SIDE // 2
        self.half_at = self.count * SIDE * SIDE
        self.flat = torch.empty((self.half_at + self.count * half * half, 3), dtype=torch.uint8, device=device)
        full = self.flat[: self.half_at].view(self.count, SIDE, SIDE, 3)
        small = self.flat[self.half_at :].view(self.count, half, half, 3)
        sizes = np.zeros((self.count, 2), np.float32)
        for start in range(0, self.count, _CHUNK):
            part = read[start : start + _CHUNK]
            canvas = np.full((len(part), SIDE, SIDE, 3), PADDING, np.uint8)
            for at, (_, pixels) in enumerate(part):
                height, width = pixels.shape[:2]
                canvas[at, :height, :width] = pixels
                sizes[start + at] = width, height
            pictures = torch.from_numpy(canvas).to(device)
            full[start : start + len(part)] = pictures
            shrunk = functional.avg_pool2d(pictures.permute(0, 3, 1, 2).float(), 2).round()
            small[start : start + len(part)] = shrunk.to(torch.uint8).permute(0, 2, 3, 1)
        boxes, weights = labels_of([row for row, _ in read], sizes)
        self.sizes, self.boxes, self.empty_weights = (
            torch.from_numpy(values).to(device) for values in (sizes, boxes, weights)
        )
        self.chances = torch.from_numpy(sampling_chances([row for row, _ in read])).to(device)


def labels_of(
    rows: Sequence[ManifestRow], sizes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the boxes and the weights of empty cells of pictures; see ``PictureStore``.

    A kind that was not labelled is neither learned nor punished. If a picture has too many boxes, the smallest ones
    are left out, and empty cells of their kinds do not count.
    """
    boxes = np.zeros((len(rows), MAX_BOXES, 6), np.float32)
    boxes[:, :, 5] = ABSENT
    weights = np.zeros((len(rows), len(KINDS)), np.float32)
    for at, (row, (width, height)) in enumerate(zip(rows, sizes, strict=True)):
        general = _TAUGHT_WEIGHT if row.taught else 1.0
        weights[at] = [general if kind in row.known else 0.0 for kind in KINDS]
        truths = sorted(row.truths, key=lambda truth: -truth.box.width * truth.box.height)
        for truth in truths[MAX_BOXES:]:
            weights[at, KINDS.index(truth.kind)] = 0
        for place, truth in enumerate(truths[:MAX_BOXES]):
            box = truth.box
            left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
            boxes[at, place] = KINDS.index(truth.kind), left * width, top * height, right * width, bottom * height, BOX
    return boxes, weights


def sampling_chances(rows: Sequence[ManifestRow], empty_share: float = 0.25) -> NDArray[np.float32]:
    """Return the probability of each picture: a source counts by the square root of its size.

    Empty pictures together get at most ``empty_share``.
    """
    sources = [row.source for row in rows]
    counts = {source: sources.count(source) for source in set(sources)}
    chances = np.array([counts[source] ** -0.5 for source in sources], np.float64)
    empty = np.array([not row.truths for row in rows])
    if empty.any() and not empty.all():
        chances[empty] *= empty_share / chances[empty].sum()
        chances[~empty] *= (1 - empty_share) / chances[~empty].sum()
        chances[empty] = np.minimum(chances[empty], 8 / len(rows))  # a few pictures are not repeated endlessly
    return np.asarray(chances / chances.sum(), np.float32)


def _read(row: ManifestRow) -> NDArray[np.uint8] | None:
    """Return the pixels of a picture, (height, width, 3) RGB, at most SIDE on its longest side; None if unusable."""
    try:
        pixels = shrink(read_picture(row.path, SIDE).pixels, SIDE)
    except (Unreadable, OSError):
        return None
    return np.ascontiguousarray(pixels[:, :, ::-1])
