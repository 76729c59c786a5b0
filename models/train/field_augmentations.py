"""Augmentations that simulate camera-trap conditions: infrared, low light, motion blur, crops, small animals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (h, w, 3) blue green red
Corners = NDArray[np.float32]  # (n, 4) left top right bottom in pixels

_MIN_VISIBLE = 0.15  # fraction of a box's area that must stay in the picture for the box to be kept
_SMALLEST_PX = 8  # shorter side of a pasted animal; smaller ones are not recognisable


def infrared(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Convert a day picture to an approximate night picture with infrared flash.

    The grey value is a random mix of the colours, because leaves are bright in infrared and no fixed mix is right for
    everything. The light falls off from a random centre, like that of a flash beside the lens. Noise is added.
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
    """Convert a picture to a picture at dusk: darker, most of all in the shadows, and with shot noise."""
    light = (pixels / np.float32(255)) ** chance.uniform(1.2, 2.2) * chance.uniform(0.4, 0.9)
    # Shot noise: the standard deviation of a count of n photons is the square root of n.
    grain = chance.normal(0, 1, pixels.shape) * np.sqrt(light) * chance.uniform(3, 14)
    return np.clip(255 * light + grain, 0, 255).astype(np.uint8)


def motion_blur(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Blur a picture along a line, like the blur of a movement during a long exposure."""
    import cv2

    length = int(chance.integers(3, max(4, min(pixels.shape[:2]) // 20) + 1))
    kernel = np.zeros((length, length), np.float32)
    angle = chance.uniform(0, np.pi)
    reach = (length - 1) / 2
    offset = (round(np.cos(angle) * reach), round(np.sin(angle) * reach))
    middle = length // 2
    cv2.line(kernel, (middle - offset[0], middle - offset[1]), (middle + offset[0], middle + offset[1]), 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def crop_through_box(
    pixels: Pixels, corners: Corners, chance: np.random.Generator
) -> tuple[Pixels, Corners, NDArray[np.int64]]:
    """Crop a picture so that the edge of the crop cuts a box, as with an animal at the edge of the frame.

    Returns:
        The crop, scaled to the size of the picture; its boxes; and the index that each of these had in ``corners``.
        Boxes of which less than 15 % is visible are dropped. A picture without boxes is returned unchanged.
    """
    import cv2

    height, width = pixels.shape[:2]
    if not len(corners):
        return pixels, corners, np.arange(0)
    chosen = corners[chance.integers(len(corners))]
    lost = chance.uniform(0.3, 0.6)  # fraction of the box outside the crop
    across = bool(chance.integers(2))
    low, high, extent = (chosen[0], chosen[2], width) if across else (chosen[1], chosen[3], height)
    lose_low_side = bool(chance.integers(2))
    kept = extent - (low + lost * (high - low)) if lose_low_side else high - lost * (high - low)
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
    stays = np.flatnonzero(_areas(inside) >= _MIN_VISIBLE * np.maximum(_areas(moved), 1e-6))
    return resized, inside[stays], stays


def empty_scene(pixels: Pixels, corners: Corners, chance: np.random.Generator) -> Pixels | None:
    """Cut out a corner without boxes, and scale it to the picture's size; None if each corner contains part of a box.

    Use it only for pictures in which all kinds are labelled.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = chance.uniform(0.35, 0.7)
    across, down = int(width * scale), int(height * scale)
    positions = [(0, 0), (width - across, 0), (0, height - down), (width - across, height - down)]
    for at in chance.permutation(len(positions)):
        left, top = positions[at]
        window = np.array([[left, top, left + across, top + down]], np.float32)
        if len(corners) and _intersections(corners, window).max() > 0:
            continue
        crop = pixels[top : top + down, left : left + across]
        return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return None


def paste_small(
    pixels: Pixels, corners: Corners, which: Sequence[int], chance: np.random.Generator
) -> tuple[Pixels, Corners, int] | None:
    """Paste a small copy of a labelled animal into a free part of the picture, to simulate a distant animal.

    The edge of the copy is blended with the background, and its brightness is adapted to the background.

    Args:
        pixels: The picture.
        corners: All boxes in it.
        which: Indices of the boxes that may be copied.
        chance: Source of random numbers.

    Returns:
        The picture, the box of the copy (1, 4), and the index of the copied box. None if no box can be copied or there
        is no free position.
    """
    import cv2

    height, width = pixels.shape[:2]
    large = [at for at in which if (corners[at, 2:] - corners[at, :2]).min() >= 2 * _SMALLEST_PX]
    if not large:
        return None
    source = int(chance.choice(large))
    left, top, right, bottom = (round(float(edge)) for edge in corners[source])
    patch = pixels[max(0, top) : bottom, max(0, left) : right]
    scale = chance.uniform(_SMALLEST_PX, max(_SMALLEST_PX + 1, min(patch.shape[:2]) / 2)) / min(patch.shape[:2])
    small = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    down, across = small.shape[:2]
    if down >= height or across >= width:
        return None
    for _ in range(10):
        x, y = int(chance.integers(0, width - across)), int(chance.integers(0, height - down))
        box = np.array([[x, y, x + across, y + down]], np.float32)
        if _intersections(corners, box).max() > 0:
            continue
        background = pixels[y : y + down, x : x + across].astype(np.float32)
        small += (background.mean((0, 1)) - small.mean((0, 1))) * np.float32(0.5)
        alpha = _alpha_mask(down, across)[:, :, None]
        result = pixels.copy()
        blended = np.clip(alpha * small + (1 - alpha) * background, 0, 255)
        result[y : y + down, x : x + across] = blended.astype(np.uint8)
        return result, box, source
    return None


def _alpha_mask(height: int, width: int) -> NDArray[np.float32]:
    """Return the opacity of each pixel of an animal's pasted copy, from 1 in the middle to 0 at the corners.

    The corners of a box usually contain background.
    """
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    return np.clip(2.5 * (1.15 - np.hypot(rows, columns)), 0, 1).astype(np.float32)


def _areas(corners: Corners) -> NDArray[np.float32]:
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def _intersections(corners: Corners, window: Corners) -> NDArray[np.float32]:
    low, high = np.maximum(corners[:, :2], window[:, :2]), np.minimum(corners[:, 2:], window[:, 2:])
    return _areas(np.concatenate((low, high), 1).astype(np.float32))
