"""Reading of the capture time from the maker notes of Reconyx cameras.

Some of their models write no other time. The maker note of Bushnell cameras is empty; theirs is in DateTimeOriginal.

Sources: the Reconyx tables of ExifTool 12 and of metadata-extractor 2.18, and pictures of five models.
"""

import struct

from captures.written_time import WrittenTime, day_and_time

_HYPERFIRE = b"\x01\xf1"  # version 1 of its note, in the camera's byte order
_HYPERFIRE_2, _ULTRAFIRE = b"RECONYXH2\0", b"RECONYXUF\0"


def reconyx_time(note: bytes, order: str) -> WrittenTime | None:
    """Return the time in a maker note of Reconyx; None if it is another note or has no real time.

    Args:
        note: The start of the maker note.
        order: Byte order of the EXIF data, "<" or ">".
    """
    orders = (order, ">" if order == "<" else "<")  # some firmware writes the time in the other order
    if note.startswith(_HYPERFIRE_2):
        return _from_words(note[0x3E:0x4A], orders)
    if note.startswith(_ULTRAFIRE):
        return _from_bytes(note[0x3B:0x42])
    if note[:2] in (_HYPERFIRE, _HYPERFIRE[::-1]):
        return _from_words(note[0x16:0x22], orders)
    return None


def _from_words(data: bytes, orders: tuple[str, ...]) -> WrittenTime | None:
    """Return the time in six words: second, minute, hour, month, day, year."""
    if len(data) < 12:
        return None
    for order in orders:
        second, minute, hour, month, day, year = struct.unpack(f"{order}6H", data)
        if (local := day_and_time(year, month, day, hour, minute, second)) is not None:
            return WrittenTime(local)
        if (local := day_and_time(year, day, month, hour, minute, second)) is not None:  # the readers disagree
            return WrittenTime(local)
    return None


def _from_bytes(data: bytes) -> WrittenTime | None:
    """Return the time in bytes: second, minute, hour, day, month, and the year in two, the lower first."""
    if len(data) < 7:
        return None
    second, minute, hour, day, month, year = struct.unpack("<5BH", data)
    local = day_and_time(year, month, day, hour, minute, second)
    return None if local is None else WrittenTime(local)
