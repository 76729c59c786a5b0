"""Places of the EXIF data in WebP and HEIC files, found in a few bounded reads."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from captures.byte_range import read_part

_MAX_CHUNKS = 200
_MAX_META_BYTES = 1_000_000  # of the box that describes the items of a HEIC; a telephone's has 4,000
_MAX_ITEMS = 2_000
_EXIF = b"Exif\0\0"


def webp_segments(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Yield kind, position and size of the EXIF data and XMP packet of a WebP file (RFC 9649, 2.7.1.4)."""
    at = 12
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack("<4sI", read_part(file, at, 8))
        if name == b"EXIF":
            skipped = len(_EXIF) if read_part(file, at + 8, len(_EXIF)) == _EXIF else 0
            yield "exif", at + 8 + skipped, size - skipped
        elif name == b"XMP ":
            yield "xmp", at + 8, size
        at += 8 + size + size % 2


def heif_segments(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Yield kind, position and size of the EXIF data of a HEIC or AVIF file.

    Source: ISO/IEC 14496-12, 8.11.3 (iloc) and 8.11.6 (iinf); ISO/IEC 23008-12, A.2 (Exif items).
    """
    at = 0
    for _ in range(_MAX_CHUNKS):
        size, name = struct.unpack(">I4s", read_part(file, at, 8))
        if name == b"meta":
            meta = read_part(file, at + 12, min(size - 12, _MAX_META_BYTES))  # after version and flags
            boxes = dict(_boxes(meta))
            item = _exif_item(boxes.get(b"iinf", b""))
            place = None if item is None else _location(boxes.get(b"iloc", b""), item)
            if place is not None:
                (offset,) = struct.unpack(">I", read_part(file, place[0], 4))  # of the TIFF header after these 4 bytes
                yield "exif", place[0] + 4 + offset, place[1] - 4 - offset
            return
        if size < 8:  # a size of 64 bits, or to the end of the file: no box before the description is so large
            return
        at += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size


def _exif_item(iinf: bytes) -> int | None:
    """Return the id of the item with EXIF data; None if there is none."""
    start = 6 if iinf[:1] == b"\0" else 8  # after version, flags and the number of entries
    for name, entry in _boxes(iinf[start:]):
        if name != b"infe" or entry[:1] not in (b"\2", b"\3"):
            continue
        identifier, _, kind = struct.unpack_from(">HH4s" if entry[:1] == b"\2" else ">IH4s", entry, 4)
        if kind == b"Exif":
            return int(identifier)
    return None


def _location(iloc: bytes, wanted: int) -> tuple[int, int] | None:
    """Return position and size of an item of one extent in the file; None if it is elsewhere."""
    version, sizes = struct.unpack_from(">B3xH", iloc)
    offset_size, length_size, base_size, index_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    wide = version == 2
    (items,) = struct.unpack_from(">I" if wide else ">H", iloc, 6)
    at = 10 if wide else 8
    for _ in range(min(items, _MAX_ITEMS)):
        (identifier,) = struct.unpack_from(">I" if wide else ">H", iloc, at)
        at += 4 if wide else 2
        method = 0
        if version:
            method = struct.unpack_from(">H", iloc, at)[0] & 15
            at += 2
        at += 2  # index of the file that has the data
        base = _number(iloc, at, base_size)
        (extents,) = struct.unpack_from(">H", iloc, at + base_size)
        at += base_size + 2
        first = at + (index_size if version else 0)
        if identifier == wanted:
            inside = method == 0 and extents == 1
            length_at = first + offset_size
            return (base + _number(iloc, first, offset_size), _number(iloc, length_at, length_size)) if inside else None
        at += extents * ((index_size if version else 0) + offset_size + length_size)
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
