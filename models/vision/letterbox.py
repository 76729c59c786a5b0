"""Letterboxing: scales a picture to the network's input size, keeps its aspect ratio and pads the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.registry import Head

_GREY = 114  # the padding value of both YOLOX and ultralytics in training


@dataclass(frozen=True, slots=True)
class Frame:
    """Position and size of a picture in the network's input, in pixels of the input."""

    left: int
    top: int
    width: int
    height: int

    def fractions(self, corners: NDArray[np.float32]) -> NDArray[np.float64]:
        """Convert (n, 4) corners x1 y1 x2 y2 in the network's input to fractions of the picture, clipped to 0..1."""
        offset = np.array([self.left, self.top] * 2, np.float64)
        size = np.array([self.width, self.height] * 2, np.float64)
        return np.asarray(np.clip((corners.astype(np.float64) - offset) / size, 0, 1))


def letterbox(pixels: NDArray[np.uint8], head: Head, width: int, height: int) -> tuple[NDArray[np.float32], Frame]:
    """Scale and pad a picture to a network's input size, as in the training of the network.

    YOLOX: picture at the top left, blue green red, 0..255 (YOLOX's ``preproc``).
    Other heads: picture centred, red green blue, 0..1 (ultralytics' ``LetterBox``).

    Args:
        pixels: (h, w, 3) uint8, blue green red.
        head: The network's head, which decides the preprocessing.
        width: Width of the input, in pixels.
        height: Height of the input, in pixels.

    Returns:
        (3, height, width) float32, and the position of the picture in it.
    """
    import cv2

    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    inner = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    fitted = pixels if pixels.shape[1::-1] == inner else cv2.resize(pixels, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (0, 0) if head == "yolox" else ((width - inner[0]) // 2, (height - inner[1]) // 2)
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = fitted
    # HWC to CHW.
    planes = canvas.transpose(2, 0, 1) if head == "yolox" else canvas[:, :, ::-1].transpose(2, 0, 1)
    tensor = np.ascontiguousarray(planes, np.float32)
    if head != "yolox":
        tensor /= 255
    return tensor, Frame(left, top, *inner)
