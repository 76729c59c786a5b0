"""Finds pictures of the same scene, so that none is learnt from and then asked about."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

_SIDE, _KEPT = 32, 8
_ROWS = 256  # hashes compared at once with all others: 256 x 100,000 x 8 bytes are 200 MB
_ONES = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)


def picture_hash(pixels: NDArray[np.uint8]) -> int:
    """Reduce a picture to 64 bits that stay nearly the same when it is shrunk, compressed or a little brighter.

    The picture is made grey and 32 x 32; of its cosine transform the 8 x 8 slowest waves but the constant one say
    whether they are above their median. Source: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash
    Functions", section 3.2.1 (the "pHash").

    Args:
        pixels: (h, w, 3) uint8, blue green red.
    """
    import cv2

    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    waves = np.asarray(cv2.dct(grey.astype(np.float32)))[1 : _KEPT + 1, 1 : _KEPT + 1].ravel()
    bits = waves > np.median(waves)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicate_pairs(hashes: Sequence[int], bits: int) -> list[tuple[int, int]]:
    """List all pairs of places whose hashes differ in at most so many bits."""
    values = np.array(hashes, np.uint64)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(values), _ROWS):
        rows = values[start : start + _ROWS]
        words = (rows[:, None] ^ values[None, start:]).view(np.uint16).reshape(len(rows), -1, 4)
        for row, column in np.argwhere(_ONES[words].sum(2, dtype=np.uint8) <= bits):
            if row < column:
                pairs.append((start + int(row), start + int(column)))
    return pairs


def connected_groups(keys: Sequence[Hashable], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Number what belongs together: equal keys, and pairs, and what is joined by them.

    Returns:
        For each place the number of its group; a group's number is the first place in it.
    """
    parent = list(range(len(keys)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[Hashable, int] = {}
    joined = [(first.setdefault(key, at), at) for at, key in enumerate(keys)]
    for one, other in (*joined, *pairs):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(at) for at in range(len(keys))]
