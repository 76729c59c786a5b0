"""Header of a picture: its format, size and completeness, read without decoding."""

import re
import struct
from dataclasses import dataclass
from typing import Literal

from captures.decoded import Unreadable

# A marker inside the compressed data: 0xFF, but not before a stuffed 0x00, a restart marker or a fill byte
# (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Header:
    """Format and size of a picture.

    Attributes:
        kind: Format by the file's signature, not by its name.
        width: Width in pixels, before EXIF orientation.
        height: Height in pixels, before EXIF orientation.
        scalable: Whether a decoder can decode it at a smaller scale without a full-size buffer.
    """

    kind: Literal["JPEG", "PNG", "TIFF"]
    width: int
    height: int
    scalable: bool


def read_header(data: bytes) -> Header:
    """Read the header and check that the file is complete.

    Raises:
        Unreadable: the file is empty, not a JPEG, PNG or TIFF, has no size, or is cut off.
    """
    if not data:
        raise Unreadable("empty file (0 bytes)")
    if data.startswith(b"\xff\xd8\xff"):
        header = _jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        header = _png(data)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        header = _tiff(data)
    else:
        raise Unreadable(f"not a JPEG, PNG or TIFF picture: it starts with {data[:12]!r}")
    if header.width < 1 or header.height < 1:
        raise Unreadable(f"{header.kind} of {header.width} x {header.height} pixels")
    return header


def _jpeg(data: bytes) -> Header:
    """Walk the segments to the end-of-image marker; data after it is ignored."""
    found: Header | None = None
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if at + 2 > len(data):
            raise _cut_off(data, found)
        if data[at] != 0xFF:
            raise Unreadable(f"JPEG with bytes {data[at : at + 2]!r} at {at} where a marker should be")
        marker = data[at + 1]
        at += 2
        if marker == _END_OF_IMAGE:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        if at + 2 > len(data):
            raise _cut_off(data, found)
        length = int.from_bytes(data[at : at + 2], "big")
        if marker in _START_OF_FRAME and found is None and at + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 3)
            found = Header("JPEG", width, height, scalable=marker not in _PROGRESSIVE)
        at += length
        if marker == _START_OF_SCAN:
            following = _MARKER.search(data, at)
            if following is None:
                raise _cut_off(data, found)
            at = following.start()
    if found is None:
        raise Unreadable("JPEG without a frame header")
    return found


def _cut_off(data: bytes, found: Header | None) -> Unreadable:
    size = f" of {found.width} x {found.height} pixels" if found else ""
    return Unreadable(f"JPEG{size} cut off after {len(data)} bytes: its end-of-image marker is missing")


def _png(data: bytes) -> Header:
    """Walk the chunks to IEND (ISO/IEC 15948, 5.3)."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise Unreadable(f"PNG cut off after {len(data)} bytes: its header is missing")
    width, height = struct.unpack_from(">II", data, 16)
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IEND":
            return Header("PNG", width, height, scalable=False)
        at += 12 + length
    raise Unreadable(f"PNG of {width} x {height} pixels cut off after {len(data)} bytes: its IEND chunk is missing")


def _tiff(data: bytes) -> Header:
    """Read the size from the first directory and check that its strips are within the file (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    tags: dict[int, tuple[int, ...]] = {}
    try:
        (directory,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, directory)
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, directory + 2 + 12 * entry)
            letter = {3: "H", 4: "I"}.get(kind)
            if tag in (256, 257, 273, 279) and letter and count <= len(data):
                inside = struct.calcsize(letter) * count <= 4
                at = directory + 10 + 12 * entry if inside else value
                tags[tag] = struct.unpack_from(f"{order}{count}{letter}", data, at)
    except struct.error as error:
        raise Unreadable(f"TIFF cut off after {len(data)} bytes: its directory is missing") from error
    if not (tags.get(256) and tags.get(257)):
        raise Unreadable("TIFF without ImageWidth and ImageLength")
    strips = zip(tags.get(273, ()), tags.get(279, ()), strict=False)
    strips_end = max((start + size for start, size in strips), default=0)
    if strips_end > len(data):
        raise Unreadable(f"TIFF cut off after {len(data)} bytes: its strips reach to {strips_end}")
    return Header("TIFF", tags[256][0], tags[257][0], scalable=False)
