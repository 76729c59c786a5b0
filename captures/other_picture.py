"""HEIC, AVIF, WebP, GIF and BMP pictures as JPEG, from a decoding process; the JPEG preview inside raw pictures."""

import struct

from captures.decoded import Unreadable
from captures.decoding.messages import Content, PictureTask
from captures.decoding.process import decode_apart
from captures.file_kind import AVIF, BMP, GIF, HEIC, WEBP, FileKind

CONVERTED: tuple[FileKind | None, ...] = (HEIC, AVIF, WEBP, GIF, BMP)
_MAX_DIRECTORIES, _MAX_ENTRIES = 32, 500
_SUB_DIRECTORIES, _ORIENTATION = 330, 274
_COMPRESSION, _STRIPS, _STRIP_SIZES, _PREVIEW, _PREVIEW_SIZE = 259, 273, 279, 513, 514
_JPEG_COMPRESSIONS = (6, 7)
_SHORT, _LONG, _IFD = 3, 4, 13


def as_jpeg(data: bytes, kind: FileKind | None, limit_pixels: int) -> bytes:
    """Return a picture as JPEG at full size, upright.

    Raises:
        Unreadable: it is too large or damaged, or its decoder failed.
        OSError: no process can be started.
    """
    if kind not in CONVERTED or kind is None:
        raise ValueError(f"{kind}: expected one of {CONVERTED}")
    for answer in decode_apart(PictureTask(kind.form, limit_pixels), kind.form, data):
        if isinstance(answer, Content):
            return answer.data
    raise Unreadable(f"{kind.form} of {len(data)} bytes: the decoding process gave no answer")


def raw_preview(data: bytes) -> tuple[bytes, int] | None:
    """Return the largest JPEG inside a raw picture that is a TIFF file, such as DNG, and its EXIF orientation.

    Returns:
        None: the file has none; it may be an ordinary TIFF.

    Source: TIFF 6.0, section 2; Digital Negative Specification 1.7, "Preview images"; TIFF tech note 1 (SubIFDs).
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data.ljust(8, b"\0"), 4)
    pending, found, orientation = [first], b"", 1
    seen: set[int] = set()
    while pending and len(seen) < _MAX_DIRECTORIES:
        at = pending.pop(0)
        if at in seen or not at:
            continue
        tags, following = _directory(data, order, at)
        orientation = tags.get(_ORIENTATION, (1,))[0] if not seen else orientation
        seen.add(at)
        pending += [*tags.get(_SUB_DIRECTORIES, ()), following]
        candidate = _jpeg_of(data, tags)
        if len(candidate) > len(found):
            found = candidate
    return (found, orientation if 1 <= orientation <= 8 else 1) if found else None


def _jpeg_of(data: bytes, tags: dict[int, tuple[int, ...]]) -> bytes:
    """Return the JPEG to which a directory points; b"" if it has none, or one that no common decoder reads."""
    start, size = (tags.get(tag, (0,)) for tag in (_PREVIEW, _PREVIEW_SIZE))
    if not start[0] and tags.get(_COMPRESSION, (1,))[0] in _JPEG_COMPRESSIONS:
        start, size = tags.get(_STRIPS, ()), tags.get(_STRIP_SIZES, ())
    if len(start) != 1 or len(size) != 1:
        return b""
    jpeg = data[start[0] : start[0] + size[0]]
    # Raw sensor data are lossless JPEG too (process 14, frame header 0xFFC3), which is no preview.
    return jpeg if jpeg[:3] == b"\xff\xd8\xff" and b"\xff\xc3" not in jpeg[:4_096] else b""


def _directory(data: bytes, order: str, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return the integer tags of a directory, and the position of the next; nothing where the file ends before."""
    tags: dict[int, tuple[int, ...]] = {}
    try:
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        for entry in range(min(entries, _MAX_ENTRIES)):
            tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * entry)
            letter = {_SHORT: "H", _LONG: "I", _IFD: "I"}.get(kind)
            if letter is None or count > _MAX_ENTRIES:
                continue
            inside = struct.calcsize(letter) * count <= 4
            tags[tag] = struct.unpack_from(f"{order}{count}{letter}", data, at + 10 + 12 * entry if inside else value)
        (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * entries)
    except struct.error:
        return tags, 0
    return tags, following
