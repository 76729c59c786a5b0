"""Decoding of JPEG pictures, and detection of pixels that are missing although the file looks whole."""

import re

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture_header import Header

_HOLE_BYTES = 64  # of zero bytes; the longest run in 300 whole photographs was 9
_HUFFMAN_TABLES, _END_OF_IMAGE = 0xC4, 0xD9
_END_OF_BLOCK = 0x00  # symbol of a Huffman code for AC coefficients (ITU-T T.81, F.1.2.2.1)
_FILLED = 128  # libjpeg fills missing pixels with this grey, in each channel
_NOTHING_LEFT = 0.98
# Messages of libjpeg about lost pixels. Others are about headers, and some whole files of cameras cause them.
_LOST = re.compile(r"Premature end|Corrupt JPEG data(?!: \d+ extraneous)")
_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_PADDING_BYTES = 8  # before the end marker, written by some cameras


def decode_jpeg(data: bytes, header: Header, divisor: int) -> tuple[NDArray[np.uint8], str]:
    """Decode a JPEG at 1/``divisor`` of its size, without applying its EXIF orientation.

    Args:
        data: The file.
        header: Its header; of a cut off file, what follows ``header.end`` is not decoded.
        divisor: 1, 2, 4 or 8.

    Returns:
        The pixels, (height, width, 3) uint8, BGR, and how the picture is damaged; "" if it is not.

    Raises:
        Unreadable: nothing of the picture can be decoded.
    """
    import simplejpeg

    if header.damage:
        data = data[: header.end] + b"\xff\xd9"
    size = {"min_height": -(-header.height // divisor), "min_width": -(-header.width // divisor)}
    damage = header.damage
    try:
        pixels = simplejpeg.decode_jpeg(data, "BGR", **size)
    except ValueError as error:
        pixels = _decode_damaged(data, header, size, divisor)
        damage = damage or _loss(str(error), data, header)
    damage = damage or _hole(data, header)
    return (pixels, _with_share(damage, pixels, header)) if damage else (pixels, "")


def _decode_damaged(data: bytes, header: Header, size: dict[str, int], divisor: int) -> NDArray[np.uint8]:
    """Decode a JPEG that simplejpeg refuses: it is damaged, or has a form that only OpenCV reads, such as CMYK."""
    import cv2
    import simplejpeg

    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=False, **size), np.uint8)
    except ValueError:
        pass
    flags = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags[divisor] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise Unreadable(f"JPEG of {header.width} x {header.height} pixels: {error}") from error
    if pixels is None:
        reason = header.damage or "broken inside, cannot be decoded"
        raise Unreadable(f"JPEG of {header.width} x {header.height} pixels: {reason}")
    return np.asarray(pixels, np.uint8)


def _loss(message: str, data: bytes, header: Header) -> str:
    """Return what a message of libjpeg says about lost pixels; "" if it says nothing."""
    if _LOST.search(message):
        return f"broken inside: {message}"
    extraneous = _EXTRANEOUS.search(message)
    if extraneous is None:
        return ""
    padding = 0
    if int(extraneous[2], 16) == _END_OF_IMAGE:
        scan = data[header.scan : header.end - 2]
        padding = max(len(scan) - len(scan.rstrip(b"\0")), len(scan) - len(scan.rstrip(b"\xff")))
    return f"broken inside: {message}" if int(extraneous[1]) - padding > _PADDING_BYTES else ""


def _hole(data: bytes, header: Header) -> str:
    """Return whether a run of zero bytes lies in the compressed data, as where a card lost a sector.

    A decoder often takes such bytes for coefficients. They can be genuine only if a code of zero bits is the end of a
    block, as the optimised tables of some flat pictures have it.
    """
    if not header.scalable:
        return ""  # the scans of progressive files have runs of zero bits
    end = header.end if header.damage else header.end - 2
    start = data.find(bytes(_HOLE_BYTES), header.scan, end)
    if start < 0 or _ends_blocks_with_zeros(data, header.scan):
        return ""
    length = end - start - len(data[start:end].lstrip(b"\0"))
    if start + length == end:
        return ""  # zero bytes before the end marker are padding
    return f"broken inside: {length} zero bytes at {start}"


def _ends_blocks_with_zeros(data: bytes, scan: int) -> bool:
    """Return whether in every Huffman table for AC coefficients the code of zero bits is the end of a block.

    That code belongs to the first symbol of a table (ITU-T T.81, C.2 and B.2.4.2). In the usual tables it is the end of
    a block for colour, but not for brightness (K.3).
    """
    at, ends = 2, []
    while at + 4 <= scan:
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        table = at + 4
        while data[at + 1] == _HUFFMAN_TABLES and table + 18 <= min(end, scan):
            if data[table] >> 4 == 1:
                ends.append(data[table + 17] == _END_OF_BLOCK)
            table += 17 + sum(data[table + 1 : table + 17])
        at = end
    return bool(ends) and all(ends)


def _with_share(damage: str, pixels: NDArray[np.uint8], header: Header) -> str:
    """Return a description of a damage with the share of the picture that is missing at its end.

    Raises:
        Unreadable: nearly everything is missing.
    """
    filled = np.all(pixels == _FILLED, axis=2)
    if filled.mean() >= _NOTHING_LEFT:
        raise Unreadable(f"JPEG of {header.width} x {header.height} pixels {damage}")
    rows = filled.all(axis=1)
    missing = int(np.argmin(rows[::-1])) / len(rows)
    return f"{damage}; the lower {missing:.0%} of the picture are missing" if missing >= 0.01 else damage
