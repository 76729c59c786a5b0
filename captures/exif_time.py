"""Reading of capture time and orientation from the EXIF data and the XMP packet of a picture, in a few bounded reads.

Only the tags of times are looked for. A file from an unknown card can link thousands of directories of thousands of
values, which would keep a general reader of EXIF busy for hours.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from captures.byte_range import read_part
from captures.exif_places import heif_segments, webp_segments
from captures.maker_notes import reconyx_time
from captures.written_time import WrittenTime, parse_offset, parse_time
from captures.xmp_time import xmp_times

_EXIF_DIRECTORY, _MAKER_NOTE, _XMP = 0x8769, 0x927C, 0x02BC  # Exif 2.32, 4.6; XMP specification part 3
_TEXTS, _SHORT, _LONG = (1, 2, 7, 129), 3, 4  # some cameras write dates as bytes; 129 is UTF-8 (Exif 3.0)
_ORIENTATION = 0x0112
_MAX_SEGMENTS = 200  # of a JPEG before its scan, or chunks of a PNG before its pixels
_MAX_ENTRIES = 500  # of a directory; cameras write fewer than 60
_MAX_TEXT_BYTES = 64
_MAX_NOTE_BYTES = 1_024  # the times of the known maker notes are in their first 100 bytes
_MAX_XMP_BYTES = 65_536  # one segment of a JPEG
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True, slots=True)
class _Field:
    """Tags of one time: the text, its fraction of a second, and its offset from UTC (Exif 2.32, 4.6.5 F)."""

    text: int
    fraction: int
    offset: int


_ORIGINAL = _Field(0x9003, 0x9291, 0x9011)
_DIGITIZED = _Field(0x9004, 0x9292, 0x9012)
_CHANGED = _Field(0x0132, 0x9290, 0x9010)


def read_exif_times(file: BinaryIO) -> list[WrittenTime]:
    """Read the times in a JPEG, PNG, TIFF, WebP or HEIC file, the most trustworthy first; [] if there is none.

    The order is DateTimeOriginal, DateTimeDigitized, the maker note, the XMP packet, DateTime. Damaged data has no
    times.

    Raises:
        OSError: the file cannot be read.
    """
    parts = _find_parts(file)
    found = _times_of_exif(file, parts.exif) if parts.exif is not None else _ExifTimes()
    packet = parts.xmp or found.xmp
    inside = xmp_times(read_part(file, packet[0], min(packet[1], _MAX_XMP_BYTES))) if packet else []
    return [*found.first, *inside, *found.last]


def read_orientation(file: BinaryIO) -> int:
    """Read the orientation of a JPEG, PNG or TIFF file from its EXIF data, 1 to 8; 1 (upright) if it states none.

    Raises:
        OSError: the file cannot be read.
    """
    start = _find_parts(file).exif
    if start is None:
        return 1
    try:
        order, first = _tiff_header(file, start)
        entry = _entries(file, start, order, first).get(_ORIENTATION)
    except struct.error:
        return 1
    if entry is None or entry.kind != _SHORT or entry.count != 1:
        return 1
    (value,) = struct.unpack_from(f"{order}H", entry.value)
    return int(value) if 1 <= value <= 8 else 1


@dataclass(frozen=True, slots=True)
class _Parts:
    """Positions in a picture file: of the TIFF header, and of the XMP packet with its size; None: there is none."""

    exif: int | None = None
    xmp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _ExifTimes:
    """Times of the EXIF data before and after those of the XMP packet in order of trust, and the packet's place."""

    first: tuple[WrittenTime, ...] = ()
    last: tuple[WrittenTime, ...] = ()
    xmp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    value: bytes  # four bytes: the value, or where it is


def _find_parts(file: BinaryIO) -> _Parts:
    head = read_part(file, 0, 8)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _Parts(exif=0)
    segments = _segments_of(head)
    parts = _Parts()
    try:
        for kind, at, size in segments(file):
            if kind == "exif" and parts.exif is None:
                parts = replace(parts, exif=at)
            elif kind == "xmp" and parts.xmp is None:
                parts = replace(parts, xmp=(at, size))
            if parts.exif is not None and parts.xmp is not None:
                break
    except struct.error:  # the file ends
        pass
    return parts


def _segments_of(head: bytes) -> Callable[[BinaryIO], Iterator[tuple[str, int, int]]]:
    if head[:2] == b"\xff\xd8":
        return _jpeg_segments
    if head == b"\x89PNG\r\n\x1a\n":
        return _png_chunks
    if head[:4] == b"RIFF":
        return webp_segments
    return heif_segments if head[4:] == b"ftyp" else _no_segments


def _no_segments(_file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    return iter(())


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Yield kind, position and size of the EXIF data and XMP packets of a JPEG file."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        mark, marker, length = struct.unpack(">BBH", read_part(file, at, 4))
        if mark != 0xFF or marker == _START_OF_SCAN:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _APP1:
            head = read_part(file, at + 4, len(_XMP_SEGMENT))
            if head[:6] == b"Exif\0\0":
                yield "exif", at + 10, length - 8
            elif head == _XMP_SEGMENT:
                yield "xmp", at + 4 + len(head), length - 2 - len(head)
        at += 2 + length


def _png_chunks(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Yield kind, position and size of the EXIF data and XMP packets of a PNG file."""
    at = 8
    for _ in range(_MAX_SEGMENTS):
        length, kind = struct.unpack(">I4s", read_part(file, at, 8))
        if kind == b"eXIf":
            yield "exif", at + 8, length
        elif kind == b"iTXt" and read_part(file, at + 8, 18) == b"XML:com.adobe.xmp\0":
            yield "xmp", at + 26, length - 18
        if kind in (b"IDAT", b"IEND"):
            return
        at += 12 + length


def _times_of_exif(file: BinaryIO, start: int) -> _ExifTimes:
    try:
        order, first = _tiff_header(file, start)
        main = _entries(file, start, order, first)
    except struct.error:
        return _ExifTimes()
    reader = _Reader(file, start, order)
    inner: Mapping[int, _Entry] = {}
    pointer = main.get(_EXIF_DIRECTORY)
    if pointer is not None and pointer.kind == _LONG:
        try:
            inner = _entries(file, start, order, reader.number(pointer))
        except struct.error:  # the file ends
            inner = {}
    tags = {**main, **inner}  # cameras also write tags of the second directory into the first, and the reverse
    times = [reader.time(field, tags) or reader.time(field, main) for field in (_ORIGINAL, _DIGITIZED, _CHANGED)]
    note = tags.get(_MAKER_NOTE)
    noted = reconyx_time(reader.data(note, _MAX_NOTE_BYTES), order) if note is not None else None
    packet = main.get(_XMP)
    place = (start + reader.number(packet), packet.count) if packet is not None and packet.count > 4 else None
    return _ExifTimes(
        tuple(time for time in (*times[:2], noted) if time is not None),
        tuple(time for time in times[2:] if time is not None),
        place,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values of entries from the EXIF data that starts at a position of a file, in a byte order."""

    file: BinaryIO
    start: int
    order: str

    def number(self, entry: _Entry) -> int:
        """Return the four bytes of an entry as a number."""
        return int.from_bytes(entry.value, "little" if self.order == "<" else "big")

    def data(self, entry: _Entry, most: int) -> bytes:
        """Return the bytes of an entry of one-byte values, at most ``most``."""
        if entry.count <= 4:
            return entry.value[: entry.count]
        return read_part(self.file, self.start + self.number(entry), min(entry.count, most))

    def text(self, entry: _Entry | None) -> str:
        """Return the text of an entry; "" if it has none or an overlong one."""
        if entry is None or entry.kind not in _TEXTS or entry.count > _MAX_TEXT_BYTES:
            return ""
        data = self.data(entry, _MAX_TEXT_BYTES).strip(b"\0 ")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("gbk", "replace")  # Chinese cameras write the half of the day in it

    def time(self, field: _Field, tags: Mapping[int, _Entry]) -> WrittenTime | None:
        """Return the time of a field, with its fraction of a second and its offset, if they are in other tags."""
        time = parse_time(self.text(tags.get(field.text)))
        if time is None:
            return None
        fraction = self.text(tags.get(field.fraction)).strip()
        if fraction.isascii() and fraction.isdigit() and not time.local.microsecond:
            time = replace(time, local=time.local.replace(microsecond=int(fraction.ljust(6, "0")[:6])))
        if time.zone is not None:
            return time
        offsets = [field.offset, *(other.offset for other in (_ORIGINAL, _DIGITIZED, _CHANGED))]
        zones = (parse_offset(self.text(tags.get(tag))) for tag in offsets)
        return replace(time, zone=next((zone for zone in zones if zone is not None), None))


def _tiff_header(file: BinaryIO, start: int) -> tuple[str, int]:
    head = read_part(file, start, 8)
    order = "<" if head[:2] == b"II" else ">"
    return order, struct.unpack(f"{order}I", head[4:])[0]


def _entries(file: BinaryIO, start: int, order: str, position: int) -> dict[int, _Entry]:
    """Read one directory; it is not followed to the next."""
    (count,) = struct.unpack(f"{order}H", read_part(file, start + position, 2))
    rows = read_part(file, start + position + 2, 12 * min(count, _MAX_ENTRIES))
    found: dict[int, _Entry] = {}
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHI4s", rows[: len(rows) // 12 * 12]):
        found.setdefault(tag, _Entry(kind, number, value))
    return found
