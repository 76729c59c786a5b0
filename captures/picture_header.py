"""Header of a picture file: format, size and completeness of the picture, read without decoding."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from captures.decoded import Unreadable

# A marker inside the compressed data: 0xFF, but not before a stuffed 0x00, a restart marker or a fill byte
# (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# A decoder skips these in its own way (T.81: reserved); a frame header could hide behind them.
_RESERVED = frozenset({0x00, *range(0x02, 0xC0)})
_AFTER_ONE_SCAN = frozenset({0xDC, *range(0xE0, 0xF0), 0xFE})  # number of lines, application data, comment
_MAX_SCANS = 32  # a progressive camera picture has 10; each scan of a bomb decodes the whole picture again

# What OpenCV decodes without a buffer larger than the picture: without JPEG in TIFF, fax and LERC, and with 16 bits.
_TIFF_COMPRESSIONS = {1: "none", 5: "LZW", 8: "deflate", 32_773: "PackBits", 32_946: "deflate"}
# Width, length, bits, compression, strips, samples, rows, sizes of strips, width and length of tiles.
_TIFF_TAGS = frozenset({256, 257, 258, 259, 273, 277, 278, 279, 322, 323})
_TIFF_BITS = (1, 2, 4, 8, 16)
_TIFF_MAX_TILE_PIXELS = 4_000_000
TAIL_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Header:
    """Format and size of a picture, from its file header.

    Attributes:
        kind: Format by the file's signature, not by its name.
        width: Width in pixels, before EXIF orientation.
        height: Height in pixels, before EXIF orientation.
        scalable: Whether a decoder can decode it at a smaller scale without a full-size buffer.
        end: Position after the last byte of the picture, or of what can be decoded of it; a file may go on.
        scan: Position of a JPEG's compressed data.
        damage: How the file is damaged, if a part of the picture may still be decoded; "" if it is whole.
    """

    kind: Literal["JPEG", "PNG", "TIFF"]
    width: int
    height: int
    scalable: bool
    end: int
    scan: int = 0
    damage: str = ""


def has_end(head: bytes, tail: bytes) -> bool:
    """Return whether a picture's end marker is near its end; True for a file without such a marker.

    Args:
        head: The first 8 bytes.
        tail: The last ``TAIL_BYTES``.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return bytes((0xFF, _END_OF_IMAGE)) in tail
    return b"IEND" in tail if head == b"\x89PNG\r\n\x1a\n" else True


def read_header(data: bytes) -> Header:
    """Read the file header of a picture, and how the file is damaged behind it.

    Raises:
        Unreadable: the file is empty, not a JPEG, PNG or TIFF, has no size, or is cut off before its first pixels.
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
    """Read the size of a JPEG and walk its segments to the end-of-image marker; ignore data after the marker.

    What cannot be a part of the picture ends it: behind such data, a decoder could find another frame header.
    """
    found: Header | None = None
    at = 2
    scans = components = 0
    while True:
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if at + 2 > len(data):
            return _cut_off(data, found)
        marker = data[at + 1]
        if data[at] != 0xFF or marker in _RESERVED:
            problem = f"bytes {data[at : at + 2]!r} at {at} where a marker should be"
            if found is None or not found.scan:
                raise Unreadable(f"JPEG with {problem}")
            return replace(found, end=at, damage=f"broken inside: {problem}")
        at += 2
        if marker == _END_OF_IMAGE:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        if at + 2 > len(data):
            return _cut_off(data, found)
        if found and found.scan and found.scalable and marker not in _AFTER_ONE_SCAN:
            return replace(
                found, end=at - 2, damage=f"broken inside: marker {marker:#x} at {at - 2} after its last scan"
            )
        length = int.from_bytes(data[at : at + 2], "big")
        if marker in _START_OF_FRAME and found is None and at + 8 <= len(data):
            height, width, components = struct.unpack_from(">HHB", data, at + 3)
            found = Header("JPEG", width, height, scalable=marker not in _PROGRESSIVE, end=0)
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > _MAX_SCANS:
                raise Unreadable(f"JPEG of {scans} scans: expected at most {_MAX_SCANS}")
            if found and data[at + 2 : at + 3] != bytes((components,)):
                found = replace(found, scalable=False)  # decoders keep the coefficients of all scans at full size
        at += length
        if marker == _START_OF_SCAN:
            if found and not found.scan:
                found = replace(found, scan=at)
            following = _MARKER.search(data, at)
            if following is None:
                return _cut_off(data, found)
            at = following.start()
    if found is None:
        raise Unreadable("JPEG without a frame header")
    return replace(found, end=at)


def _cut_off(data: bytes, found: Header | None) -> Header:
    """Return the header of a JPEG that ends before its end-of-image marker.

    Raises:
        Unreadable: it ends before its compressed data.
    """
    size = f" of {found.width} x {found.height} pixels" if found else ""
    problem = f"cut off after {len(data)} bytes: its end-of-image marker is missing"
    if found is None or not 0 < found.scan < len(data):
        raise Unreadable(f"JPEG{size} {problem}")
    return replace(found, end=len(data), damage=problem)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and length of each chunk of a PNG up to IEND (ISO/IEC 15948, 5.3); a cut off one ends early."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        yield kind, at, length
        if kind == b"IEND":
            return
        at += 12 + length


def _png(data: bytes) -> Header:
    """Read the size of a PNG and walk its chunks to the IEND chunk; only that chunk may be missing."""
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        raise Unreadable(f"PNG cut off after {len(data)} bytes: its header is missing")
    width, height = struct.unpack_from(">II", data, 16)
    end = pixels_end = 33
    for kind, at, length in png_chunks(data):
        end = at + 12 + length
        if kind == b"IEND":
            return Header("PNG", width, height, scalable=False, end=end)
        if kind == b"acTL":  # a decoder would make a picture of every frame
            raise Unreadable(f"PNG of {width} x {height} pixels with an animation: expected one picture")
        if kind == b"IDAT" and end <= len(data):
            pixels_end = end
    problem = f"cut off after {len(data)} bytes: its IEND chunk is missing"
    if pixels_end == 33 or end > len(data):
        raise Unreadable(f"PNG of {width} x {height} pixels {problem}")
    return Header("PNG", width, height, scalable=False, end=pixels_end, damage=problem)


def _tiff(data: bytes) -> Header:
    """Read the size of a TIFF from its first directory and check that its strips are in the file (TIFF 6.0, 2)."""
    tags = _tiff_tags(data)
    if not (tags.get(256) and tags.get(257)):
        raise Unreadable("TIFF without ImageWidth and ImageLength")
    _check_tiff(tags)
    strips = zip(tags.get(273, ()), tags.get(279, ()), strict=False)
    strips_end = max((start + size for start, size in strips), default=0)
    if strips_end > len(data):
        raise Unreadable(f"TIFF cut off after {len(data)} bytes: its strips reach to {strips_end}")
    return Header("TIFF", tags[256][0], tags[257][0], scalable=False, end=len(data))


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    order = "<" if data[:2] == b"II" else ">"
    tags: dict[int, tuple[int, ...]] = {}
    try:
        (directory,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, directory)
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, directory + 2 + 12 * entry)
            if tag not in _TIFF_TAGS:
                continue
            letter = {3: "H", 4: "I"}.get(kind)
            if tag in tags or letter is None:  # libtiff may use another value than we do
                raise Unreadable(f"TIFF with tag {tag} twice or of type {kind}: expected it once, SHORT or LONG")
            if count <= len(data):
                inside = struct.calcsize(letter) * count <= 4
                at = directory + 10 + 12 * entry if inside else value
                tags[tag] = struct.unpack_from(f"{order}{count}{letter}", data, at)
    except struct.error as error:
        raise Unreadable(f"TIFF cut off after {len(data)} bytes: its directory is missing") from error
    return tags


def _check_tiff(tags: dict[int, tuple[int, ...]]) -> None:
    """Check that a decoder needs no buffer larger than the picture."""
    bits, samples = max(tags.get(258) or (1,)), (tags.get(277) or (1,))[0]
    compression = (tags.get(259) or (1,))[0]
    tile = (tags.get(322) or (0,))[0] * (tags.get(323) or (0,))[0]
    if bits not in _TIFF_BITS or not 1 <= samples <= 4:
        raise Unreadable(f"TIFF of {samples} samples of {bits} bits a pixel: expected at most 4 of 16")
    if compression not in _TIFF_COMPRESSIONS:
        known = ", ".join(sorted(set(_TIFF_COMPRESSIONS.values())))
        raise Unreadable(f"TIFF with compression {compression}: expected {known}")
    if tile > _TIFF_MAX_TILE_PIXELS:
        raise Unreadable(f"TIFF with tiles of {tile} pixels: expected at most {_TIFF_MAX_TILE_PIXELS}")
