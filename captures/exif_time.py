"""Reading of the capture time from the EXIF data of a picture file, in a few bounded reads.

Only two tags are looked for. A file from an unknown card can link thousands of directories of thousands of values,
which would keep a general reader of EXIF busy for hours.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL, _EXIF_DIRECTORY = 0x9003, 0x9011, 0x8769  # Exif 2.32, 4.6
_ASCII, _LONG = 2, 4
_MAX_SEGMENTS = 200  # of a JPEG before its scan, or chunks of a PNG before its pixels
_MAX_ENTRIES = 500  # of a directory; cameras write fewer than 60
_MAX_TEXT_BYTES = 64
_START_OF_SCAN, _APP1 = 0xDA, 0xE1


@dataclass(frozen=True, slots=True)
class ExifTime:
    """Capture time as a camera wrote it, such as "2026:05:31 06:00:00", and its offset, such as "+08:00"; "": none."""

    taken: str
    offset: str


def read_exif_time(file: BinaryIO) -> ExifTime | None:
    """Read the capture time of a JPEG, PNG or TIFF file; None if it has none, or damaged EXIF data.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        start = _exif_start(file)
        if start is None:
            return None
        order, first = _tiff_header(file, start)
        entries = _entries(file, start, order, first)
        pointer = entries.get(_EXIF_DIRECTORY)
        if pointer is None or pointer.kind != _LONG:
            return None
        entries = _entries(file, start, order, int.from_bytes(pointer.value, "little" if order == "<" else "big"))
        taken, offset = (
            _text(file, start, order, entries.get(tag)) for tag in (_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL)
        )
    except struct.error:
        return None
    return ExifTime(taken, offset) if taken else None


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    value: bytes  # four bytes: the value, or where it is


def _exif_start(file: BinaryIO) -> int | None:
    """Return the position of the TIFF header inside a picture file."""
    head = _read_at(file, 0, 8)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return 0
    if head == b"\x89PNG\r\n\x1a\n":
        return _start_in_png(file)
    if head[:2] == b"\xff\xd8":
        return _start_in_jpeg(file)
    return None


def _start_in_jpeg(file: BinaryIO) -> int | None:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        mark, marker, length = struct.unpack(">BBH", _read_at(file, at, 4))
        if mark != 0xFF or marker == _START_OF_SCAN:
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _APP1 and _read_at(file, at + 4, 6) == b"Exif\0\0":
            return at + 10
        at += 2 + length
    return None


def _start_in_png(file: BinaryIO) -> int | None:
    at = 8
    for _ in range(_MAX_SEGMENTS):
        length, kind = struct.unpack(">I4s", _read_at(file, at, 8))
        if kind == b"eXIf":
            return at + 8
        if kind in (b"IDAT", b"IEND"):
            return None
        at += 12 + length
    return None


def _tiff_header(file: BinaryIO, start: int) -> tuple[str, int]:
    head = _read_at(file, start, 8)
    order = "<" if head[:2] == b"II" else ">"
    return order, struct.unpack(f"{order}I", head[4:])[0]


def _entries(file: BinaryIO, start: int, order: str, position: int) -> dict[int, _Entry]:
    """Read one directory; it is not followed to the next."""
    (count,) = struct.unpack(f"{order}H", _read_at(file, start + position, 2))
    rows = _read_at(file, start + position + 2, 12 * min(count, _MAX_ENTRIES))
    found: dict[int, _Entry] = {}
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHI4s", rows[: len(rows) // 12 * 12]):
        found.setdefault(tag, _Entry(kind, number, value))
    return found


def _text(file: BinaryIO, start: int, order: str, entry: _Entry | None) -> str:
    if entry is None or entry.kind != _ASCII or entry.count > _MAX_TEXT_BYTES:
        return ""
    if entry.count <= 4:
        data = entry.value[: entry.count]
    else:
        data = _read_at(file, start + struct.unpack(f"{order}I", entry.value)[0], entry.count)
    return data.decode("ascii", "replace").strip("\0 ")


def _read_at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)
