"""Check of a film clip that a station sends: H.264 in MP4, by its boxes and without decoding anything.

The server does not decode it; browsers do. It must have one track of pictures, all data inside the file, and a size and
length within the limits. Source: ISO/IEC 14496-12 (boxes) and 14496-15 (avc1).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from captures.decoded import Unreadable

MAX_SIDE_PX = 1_920
MAX_SECONDS = 60
MAX_BYTES = 8_000_000
_MAX_BOXES = 200
_TOP_LEVEL = (b"ftyp", b"moov", b"mdat", b"free")
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl")
_SELF_CONTAINED = 1  # flag of a data reference: the media are in the same file


@dataclass(slots=True)
class _Found:
    tracks: int = 0
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    handlers: tuple[bytes, ...] = ()
    codecs: tuple[bytes, ...] = ()


def check_mp4(data: bytes) -> None:
    """Check the boxes of a film clip.

    Raises:
        Unreadable: it is damaged, cut off, has other content than one track of H.264, or is too large or too long.
    """
    if len(data) > MAX_BYTES:
        raise Unreadable(f"MP4 clip of {len(data)} bytes: expected at most {MAX_BYTES}")
    try:
        found, top = _Found(), []
        for kind, start, end in _boxes(data, 0, len(data)):
            top.append(kind)
            if kind not in _TOP_LEVEL:
                raise Unreadable(
                    f"MP4 clip with a box {kind!r}: expected {', '.join(one.decode() for one in _TOP_LEVEL)}"
                )
            if kind == b"moov":
                _look_into(data, start, end, found)
    except struct.error as error:
        raise Unreadable(f"MP4 clip of {len(data)} bytes: a box of it is cut off") from error
    if top.count(b"moov") != 1 or top.count(b"mdat") != 1 or top[0] != b"ftyp":
        raise Unreadable(f"MP4 clip with the boxes {b', '.join(top)!r}: expected one moov and one mdat")
    if found.tracks != 1 or found.handlers != (b"vide",) or found.codecs != (b"avc1",):
        raise Unreadable(
            f"MP4 clip with {found.tracks} tracks {found.handlers!r} in {found.codecs!r}: expected one of H.264"
        )
    if not (0 < found.width <= MAX_SIDE_PX and 0 < found.height <= MAX_SIDE_PX):
        raise Unreadable(f"MP4 clip of {found.width} x {found.height} pixels: expected at most {MAX_SIDE_PX} a side")
    if not found.seconds <= MAX_SECONDS:
        raise Unreadable(f"MP4 clip of {found.seconds:.0f} s: expected at most {MAX_SECONDS}")


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box between two positions, which they fill exactly."""
    for _ in range(_MAX_BOXES):
        if at == end:
            return
        size, kind = struct.unpack_from(">I4s", data[:end], at)
        if size < 8 or at + size > end:  # neither boxes of 64 bits nor those that reach to the end of the file
            raise Unreadable(f"MP4 clip with a box {kind!r} of {size} bytes, where {end - at} are left")
        yield kind, at + 8, at + size
        at += size
    raise Unreadable(f"MP4 clip with more than {_MAX_BOXES} boxes")


def _look_into(data: bytes, start: int, end: int, found: _Found) -> None:
    for kind, at, until in _boxes(data, start, end):
        if kind in _CONTAINERS:
            found.tracks += kind == b"trak"
            _look_into(data, at, until, found)
        elif kind == b"mvhd":
            version = data[at]
            scale, duration = struct.unpack_from(">IQ" if version else ">II", data, at + (20 if version else 12))
            found.seconds = duration / scale if scale else float("inf")
        elif kind == b"hdlr":
            found.handlers += (data[at + 8 : at + 12],)
        elif kind == b"stsd":
            _, entries = struct.unpack_from(">II", data, at)
            if entries != 1:
                raise Unreadable(f"MP4 clip with {entries} descriptions of its pictures: expected one")
            (_, codec), (found.width, found.height) = (
                struct.unpack_from(">I4s", data, at + 8),
                struct.unpack_from(">HH", data, at + 40),
            )
            found.codecs += (codec,)
        elif kind == b"dref":
            _, entries = struct.unpack_from(">II", data, at)
            size, _, flags = struct.unpack_from(">I4sI", data, at + 8)
            if entries != 1 or size != 12 or flags & 0xFFFFFF != _SELF_CONTAINED:
                raise Unreadable("MP4 clip that refers to another file")
