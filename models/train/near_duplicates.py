"""Finds near-duplicate pictures, so that no scene is in both the training and the test split."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

_SIDE, _KEPT = 32, 8
_ROWS = 256  # hashes per block that is compared with all others: 256 x 100,000 x 8 bytes are 200 MB
_ONES = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)


def picture_hash(pixels: NDArray[np.uint8]) -> int:
    """Return the 64-bit perceptual hash of a picture, which changes little with size, compression or brightness.

    The picture is converted to grey and scaled to 32 x 32. Each bit states whether one of the 8 x 8 lowest frequencies
    of its cosine transform, without the constant ones, is above their median.
    Source: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2.1 ("pHash").

    Args:
        pixels: (h, w, 3) uint8, blue green red.
    """
    import cv2

    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    coefficients = np.asarray(cv2.dct(grey.astype(np.float32)))[1 : _KEPT + 1, 1 : _KEPT + 1].ravel()
    bits = coefficients > np.median(coefficients)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicate_pairs(hashes: Sequence[int], bits: int) -> list[tuple[int, int]]:
    """Return the index pairs of all near-duplicates: pictures whose hashes differ in at most ``bits`` bits."""
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
    """Return the group number of each item; items with equal keys and the two items of a pair are in one group.

    Args:
        keys: One key per item.
        pairs: Pairs of indices of linked items.

    Returns:
        The group of each item; the number of a group is the index of its first item.
    """
    parent = list(range(len(keys)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[Hashable, int] = {}
    same_key = [(first.setdefault(key, at), at) for at, key in enumerate(keys)]
    for left, right in (*same_key, *pairs):
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(at) for at in range(len(keys))]
