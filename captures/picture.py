"""Decoding of picture files at reduced scale, and thumbnails."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Picture, Unreadable
from captures.exif_time import read_orientation
from captures.file_kind import TIFF, kind_of_bytes
from captures.jpeg import decode_jpeg
from captures.other_picture import CONVERTED, as_jpeg, raw_preview
from captures.picture_header import Header, read_header

LIMIT_PIXELS = 120_000_000  # the largest camera-trap sensors have 48 million; a decompression bomb has billions
LIMIT_BYTES = 150_000_000  # a JPEG of 120 million pixels has about 100 MB; a station may have 1 GB of memory
THUMBNAIL_PX = 960
_DIVISORS = (1, 2, 4, 8)  # of the scales at which libjpeg decodes
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # ISO/IEC 15948, 11.2.5
_FULL_SIZE_FACTOR = 2  # decoding at full size takes 3 to 6 bytes a pixel, so only half as many pixels are allowed


def read_picture(source: Path | bytes, longest_px: int, limit_pixels: int = LIMIT_PIXELS) -> Picture:
    """Decode a picture, scaled down to at least ``longest_px``, with EXIF orientation applied.

    Grey, 16-bit and CMYK pictures become 8-bit BGR; transparency is dropped. libjpeg decodes a baseline JPEG at 1/2,
    1/4 or 1/8 of its size if the result is at least ``longest_px`` long; other pictures are decoded at full size, then
    scaled down.

    HEIC, AVIF, WebP, GIF and BMP become JPEG in a process of their own first; of raw pictures (DNG and other TIFF files
    with a preview) the largest preview is decoded.

    Args:
        source: A file, or its bytes.
        longest_px: Length of the longest side that is needed; the result is at least that long unless the original is
            smaller.
        limit_pixels: Larger pictures are refused before decoding; half of it for progressive JPEG, PNG and TIFF,
            which cannot be decoded at a smaller scale.

    Raises:
        Unreadable: the file is empty, not a picture, too large, or nothing of it can be decoded; the message gives the
            reason.
        OSError: the file does not exist or cannot be read, or no process can be started.
    """
    if longest_px < 1:
        raise ValueError(f"longest_px {longest_px}: expected at least 1")
    data = source if isinstance(source, bytes) else _read(source)
    kind = kind_of_bytes(data)
    if kind in CONVERTED:
        data = as_jpeg(data, kind, limit_pixels // _FULL_SIZE_FACTOR)
    elif kind is TIFF and (preview := raw_preview(data)) is not None:
        own = read_orientation(BytesIO(preview[0]))
        return _turned(read_picture(preview[0], longest_px, limit_pixels), preview[1] if own == 1 else 1)
    header = read_header(data)
    allowed = limit_pixels if header.scalable else limit_pixels // _FULL_SIZE_FACTOR
    if header.width * header.height > allowed:
        raise Unreadable(f"{header.kind} of {header.width} x {header.height} pixels: expected at most {allowed} pixels")
    if header.kind == "JPEG":
        longest = max(header.width, header.height)
        divisor = max(n for n in _DIVISORS if n == 1 or longest // n >= longest_px)
        pixels, damage = decode_jpeg(data, header, divisor)
        pixels = upright(pixels, read_orientation(BytesIO(data)))
    else:
        pixels, damage = _decode(data, header), header.damage
    # The shape shows whether the EXIF orientation swapped width and height.
    turned = (pixels.shape[1] > pixels.shape[0]) != (header.width > header.height) and header.width != header.height
    width, height = (header.height, header.width) if turned else (header.width, header.height)
    if not header.scalable:
        pixels = shrink(pixels, longest_px)
    return Picture(pixels, width, height, damage)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror pixels by their EXIF orientation, 1 to 8 (Exif 2.32, 4.6.4 A)."""
    import cv2

    if orientation in (5, 6, 7, 8):
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip), np.uint8)


def _turned(picture: Picture, orientation: int) -> Picture:
    """Turn the preview of a raw picture, which has no EXIF data of its own, as those of the whole file say."""
    pixels = upright(picture.pixels, orientation)
    width, height = picture.width, picture.height
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return replace(picture, pixels=pixels, width=width, height=height)


def shrink(pixels: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """Scale a picture down so that its longest side is ``longest_px``; a smaller picture is returned unchanged."""
    import cv2

    height, width = pixels.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def reduced(picture: Picture, longest_px: int) -> Picture:
    """Return a picture as ``read_picture`` would have decoded it for ``longest_px``.

    The mean of square blocks of pixels is what scaled decoding of a JPEG gives, without the aliasing of one step to the
    final size.
    """
    import cv2

    height, width = picture.pixels.shape[:2]
    divisor = max(n for n in _DIVISORS if n == 1 or max(height, width) // n >= longest_px)
    if divisor == 1:
        return picture
    size = (max(1, -(-width // divisor)), max(1, -(-height // divisor)))
    return replace(picture, pixels=np.asarray(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), np.uint8))


def thumbnail(source: Picture | Path | bytes, longest_px: int = THUMBNAIL_PX, quality: int = 80) -> bytes:
    """Return a JPEG thumbnail of a picture, with EXIF orientation applied and without the picture's metadata.

    Raises:
        Unreadable: the source cannot be decoded.
    """
    import cv2

    picture = source if isinstance(source, Picture) else read_picture(source, longest_px)
    encoded, jpeg = cv2.imencode(".jpg", shrink(picture.pixels, longest_px), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise Unreadable(f"picture of shape {picture.pixels.shape} cannot be encoded as JPEG")
    return bytes(jpeg.tobytes())


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise Unreadable(f"{size} bytes: expected a picture of at most {LIMIT_BYTES}")
    return path.read_bytes()


def _decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Decode a PNG or TIFF with OpenCV, which applies the EXIF orientation."""
    import cv2

    size = f"{header.kind} of {header.width} x {header.height} pixels"
    if header.damage:
        data = data[: header.end] + _PNG_END
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Unreadable(f"{size}: {error}") from error
    if pixels is None:
        raise Unreadable(f"{size}: {header.damage or 'broken inside, cannot be decoded'}")
    return np.asarray(pixels, np.uint8)
