"""Small pictures that tests make."""

from pathlib import Path

import cv2
import numpy as np


def grey_jpeg(grey: int = 80) -> bytes:
    """A JPEG of 160 x 120 pixels of one grey."""
    return bytes(cv2.imencode(".jpg", np.full((120, 160, 3), grey, np.uint8))[1])


def write_grey_jpeg(path: Path, grey: int = 80) -> Path:
    """Write such a picture, whatever the name's suffix is, and make its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(grey_jpeg(grey))
    return path
