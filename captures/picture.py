"""Reads pictures whole and upright, no larger than needed, and makes the small ones that travel to the ranger."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Picture, Unreadable
from captures.picture_header import Header, read_header

LIMIT_PIXELS = 120_000_000  # the largest camera-trap sensors have 48 million; a decompression bomb has billions
LIMIT_BYTES = 500_000_000  # a film that was given a picture's name must not fill the memory
_WHOLE_SHARE = 2  # what cannot be decoded smaller takes 3 to 6 bytes a pixel, so it may have half as many pixels


def read_picture(source: Path | bytes, longest_px: int, limit_pixels: int = LIMIT_PIXELS) -> Picture:
    """Read a JPEG, PNG or TIFF at the scale needed, with EXIF orientation applied.

    Grey, 16-bit and CMYK pictures become 8-bit blue green red; transparency is dropped. A baseline JPEG is decoded at
    1/2, 1/4 or 1/8 by libjpeg where that is still at least ``longest_px``; anything else is decoded whole, then shrunk.

    Args:
        source: A file, or its bytes.
        longest_px: The longest side that is needed; the result is that long or longer, unless the original is smaller.
        limit_pixels: Refuse what holds more, before any of it is decoded; progressive JPEG, PNG and TIFF, which cannot
            be decoded smaller, are allowed half of it.

    Raises:
        Unreadable: empty, not a picture, cut off, too large, or broken; the message says which.
        OSError: the file is not there or may not be read.
    """
    if longest_px < 1:
        raise ValueError(f"longest_px {longest_px}: expected at least 1")
    data = source if isinstance(source, bytes) else _read(source)
    header = read_header(data)
    allowed = limit_pixels if header.scalable else limit_pixels // _WHOLE_SHARE
    if header.width * header.height > allowed:
        raise Unreadable(f"{header.kind} of {header.width} x {header.height} pixels: expected at most {allowed} pixels")
    pixels = _decode(data, header, longest_px)
    # OpenCV turned the picture where EXIF says so; its shape tells whether the sides changed places.
    turned = (pixels.shape[1] > pixels.shape[0]) != (header.width > header.height) and header.width != header.height
    width, height = (header.height, header.width) if turned else (header.width, header.height)
    if not header.scalable:
        pixels = shrink(pixels, longest_px)
    return Picture(pixels, width, height)


def shrink(pixels: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """Make a picture smaller, so that its longest side is ``longest_px``; a smaller one stays as it is."""
    import cv2

    height, width = pixels.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def thumbnail(source: Picture | Path | bytes, longest_px: int = 960, quality: int = 80) -> bytes:
    """Make a small JPEG, upright and without any of the original's metadata.

    Raises:
        Unreadable: the source cannot be used.
    """
    import cv2

    picture = source if isinstance(source, Picture) else read_picture(source, longest_px)
    done, jpeg = cv2.imencode(".jpg", shrink(picture.pixels, longest_px), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise Unreadable(f"picture of shape {picture.pixels.shape} cannot be written as JPEG")
    return bytes(jpeg.tobytes())


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise Unreadable(f"{size} bytes: expected a picture of at most {LIMIT_BYTES}")
    return path.read_bytes()


def _decode(data: bytes, header: Header, longest_px: int) -> NDArray[np.uint8]:
    import cv2

    flags = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    longest = max(header.width, header.height)
    divisor = max(by for by in flags if by == 1 or (header.kind == "JPEG" and longest // by >= longest_px))
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags[divisor])
    except cv2.error as error:
        raise Unreadable(f"{header.kind} of {header.width} x {header.height} pixels: {error}") from error
    if pixels is None:
        raise Unreadable(f"{header.kind} of {header.width} x {header.height} pixels: broken inside, cannot be decoded")
    return np.asarray(pixels, np.uint8)
