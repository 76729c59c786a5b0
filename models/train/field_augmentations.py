"""Makes of one picture what the field makes of it: infrared, dark, blurred, cut off at the edge, small, or empty."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (h, w, 3) blue green red
Corners = NDArray[np.float32]  # (n, 4) left top right bottom in pixels

_LEFT_OVER = 0.15  # share of a thing's area that must stay in the picture for its box to stay
_SMALLEST_PX = 8  # of a pasted animal's shorter side: below, nobody could say what it is


def infrared(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Make a day picture look as if taken at night by an infrared flash; it stays an imitation.

    Grey from a random mix of the colours (leaves are bright in infrared, so no mix is right for all), light that falls
    off from a random middle as from a lamp beside the lens, and noise.
    """
    weights = chance.dirichlet((2, 3, 2)).astype(np.float32)
    grey = pixels.astype(np.float32) @ weights / 255
    height, width = grey.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    middle, reach = chance.uniform(0.3, 0.7, 2), chance.uniform(0.35, 0.9)
    distance = np.hypot(columns / width - middle[0], rows / height - middle[1]) / reach
    lit = grey ** chance.uniform(0.8, 1.6) * chance.uniform(0.6, 1.3) / (1 + distance**2)
    noisy = 255 * lit + chance.normal(0, chance.uniform(1, 9), grey.shape)
    return np.repeat(np.clip(noisy, 0, 255).astype(np.uint8)[:, :, None], 3, 2)


def low_light(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Make a picture look as if taken at dusk: darker, its shadows most, and grainy where it is dark."""
    light = (pixels / np.float32(255)) ** chance.uniform(1.2, 2.2) * chance.uniform(0.4, 0.9)
    # Photons arrive at random: the noise of n of them is the root of n.
    grain = chance.normal(0, 1, pixels.shape) * np.sqrt(light) * chance.uniform(3, 14)
    return np.clip(255 * light + grain, 0, 255).astype(np.uint8)


def motion_blur(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Smear a picture along a line, as a long exposure does with what moves."""
    import cv2

    length = int(chance.integers(3, max(4, min(pixels.shape[:2]) // 20) + 1))
    kernel = np.zeros((length, length), np.float32)
    angle = chance.uniform(0, np.pi)
    reach = (length - 1) / 2
    offset = (round(np.cos(angle) * reach), round(np.sin(angle) * reach))
    middle = length // 2
    cv2.line(kernel, (middle - offset[0], middle - offset[1]), (middle + offset[0], middle + offset[1]), 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def cut_off(pixels: Pixels, corners: Corners, chance: np.random.Generator) -> tuple[Pixels, Corners, NDArray[np.int64]]:
    """Crop a picture so that its edge goes through one of the things in it: a flank, a head, a leg.

    Returns:
        The crop at the size of the picture; the boxes in it; and for each the place it had. Things of which too little
        is left have no box any more. Without boxes: everything as it was.
    """
    import cv2

    height, width = pixels.shape[:2]
    if not len(corners):
        return pixels, corners, np.arange(0)
    chosen = corners[chance.integers(len(corners))]
    share = chance.uniform(0.3, 0.6)  # of the thing that is lost
    across = bool(chance.integers(2))
    low, high, extent = (chosen[0], chosen[2], width) if across else (chosen[1], chosen[3], height)
    lose_low_side = bool(chance.integers(2))
    kept = extent - (low + share * (high - low)) if lose_low_side else high - share * (high - low)
    scale = float(np.clip(kept / extent, 0.2, 1))
    size = np.array([round(width * scale), round(height * scale)])
    start = np.zeros(2)
    axis = 0 if across else 1
    start[axis] = extent - size[axis] if lose_low_side else 0
    other = 1 - axis
    centre = (chosen[other] + chosen[other + 2]) / 2
    start[other] = np.clip(centre - size[other] * chance.uniform(0.3, 0.7), 0, (width, height)[other] - size[other])
    left, top = int(start[0]), int(start[1])
    crop = pixels[top : top + int(size[1]), left : left + int(size[0])]
    resized = np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    scales = np.array([width / crop.shape[1], height / crop.shape[0]] * 2, np.float32)
    moved = (corners - np.array([left, top, left, top], np.float32)) * scales
    inside = np.clip(moved, 0, [width, height, width, height]).astype(np.float32)
    stays = np.flatnonzero(_areas(inside) >= _LEFT_OVER * np.maximum(_areas(moved), 1e-6))
    return resized, inside[stays], stays


def empty_scene(pixels: Pixels, corners: Corners, chance: np.random.Generator) -> Pixels | None:
    """Crop a corner in which nothing was marked, at the size of the picture; None where there is no such corner.

    Only for pictures in which all kinds were looked for.
    """
    import cv2

    height, width = pixels.shape[:2]
    share = chance.uniform(0.35, 0.7)
    across, down = int(width * share), int(height * share)
    places = [(0, 0), (width - across, 0), (0, height - down), (width - across, height - down)]
    for at in chance.permutation(len(places)):
        left, top = places[at]
        window = np.array([[left, top, left + across, top + down]], np.float32)
        if len(corners) and _shared_areas(corners, window).max() > 0:
            continue
        crop = pixels[top : top + down, left : left + across]
        return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return None


def paste_small(
    pixels: Pixels, corners: Corners, which: Sequence[int], chance: np.random.Generator
) -> tuple[Pixels, Corners, int] | None:
    """Put a small copy of one of the things somewhere else, where nothing is: far animals are the ones most missed.

    Its rim fades into the ground, its light is drawn towards that of the place.

    Args:
        pixels: The picture.
        corners: All boxes in it.
        which: Places of the boxes that may be copied.
        chance: Where the choices come from.

    Returns:
        The picture; the box of the copy, (1, 4); and the place of the box that was copied. None where nothing can be
        copied or no room is found.
    """
    import cv2

    height, width = pixels.shape[:2]
    large = [at for at in which if (corners[at, 2:] - corners[at, :2]).min() >= 2 * _SMALLEST_PX]
    if not large:
        return None
    source = int(chance.choice(large))
    left, top, right, bottom = (round(float(edge)) for edge in corners[source])
    thing = pixels[max(0, top) : bottom, max(0, left) : right]
    shrunk_to = chance.uniform(_SMALLEST_PX, max(_SMALLEST_PX + 1, min(thing.shape[:2]) / 2)) / min(thing.shape[:2])
    small = cv2.resize(thing, None, fx=shrunk_to, fy=shrunk_to, interpolation=cv2.INTER_AREA).astype(np.float32)
    down, across = small.shape[:2]
    if down >= height or across >= width:
        return None
    for _ in range(10):
        x, y = int(chance.integers(0, width - across)), int(chance.integers(0, height - down))
        box = np.array([[x, y, x + across, y + down]], np.float32)
        if _shared_areas(corners, box).max() > 0:
            continue
        ground = pixels[y : y + down, x : x + across].astype(np.float32)
        small += (ground.mean((0, 1)) - small.mean((0, 1))) * np.float32(0.5)
        rim = _fading(down, across)[:, :, None]
        result = pixels.copy()
        result[y : y + down, x : x + across] = np.clip(rim * small + (1 - rim) * ground, 0, 255).astype(np.uint8)
        return result, box, source
    return None


def _fading(height: int, width: int) -> NDArray[np.float32]:
    """1 in the middle, 0 at the corners: an animal fills the middle of its box, the ground its corners."""
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    return np.clip(2.5 * (1.15 - np.hypot(rows, columns)), 0, 1).astype(np.float32)


def _areas(corners: Corners) -> NDArray[np.float32]:
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def _shared_areas(corners: Corners, window: Corners) -> NDArray[np.float32]:
    low, high = np.maximum(corners[:, :2], window[:, :2]), np.minimum(corners[:, 2:], window[:, 2:])
    return _areas(np.concatenate((low, high), 1).astype(np.float32))
