"""Reading of the start time that recorders store in their WAV files: GUANO, Wildlife Acoustics, AudioMoth, bext, INFO.

The chunks of the file are walked with a few bounded reads, whatever their headers say.
"""

import re
import struct
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import BinaryIO

from captures.byte_range import read_part
from captures.written_time import WrittenTime, day_and_time, parse_offset, parse_time

_MAX_CHUNKS = 200
_MAX_CHUNK_BYTES = 65_536  # of one that is read; recorders write less than 10 kB
_TAIL_BYTES = 65_536
_UNKNOWN_SIZE = 0xFFFFFFFF  # of RF64: the size is in the chunk ds64 (EBU Tech 3306)
_METADATA = frozenset({b"guan", b"wamd", b"bext", b"LIST", b"ds64"})
_WAMD_VERSION, _WAMD_START_TIME = 0, 5  # METATAG_VERSION and METATAG_FILE_START_TIME of Wildlife Acoustics' wa_meta.h

# Comment of AudioMoth's firmware: "Recorded at 10:25:00 04/04/2020 (UTC+8) by AudioMoth"; versions below 1.0.1 wrote no
# zone, and their clock was in UTC.
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))? "
    r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})(?: \((?P<zone>UTC[^)]{0,8})\)|(?! \(UTC))"
)
_GUANO_TIME = re.compile(rb"(?:^|\n)Timestamp[ \t]{0,8}:[ \t]{0,8}([^\r\n]{8,64})", re.IGNORECASE)


def read_recorder_times(path: Path) -> list[WrittenTime]:
    """Read the start times that a recorder stored in a WAV file, the most trustworthy first; [] for another file.

    Times with a zone come before those without; of equal ones GUANO comes first, then AudioMoth's comment, wamd, bext
    and the creation date of the INFO list.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        chunks = dict(reversed(list(_chunks(file))))
        chunks.update({name: data for name, data in _tail(file).items() if name not in chunks})
    info = _info(chunks.get(b"LIST", b""))
    times = [
        _guano(chunks.get(b"guan", b"")),
        audiomoth_time(info.get(b"ICMT", "")),
        _wamd(chunks.get(b"wamd", b"")),
        _bext(chunks.get(b"bext", b"")),
        parse_time(info.get(b"ICRD", "")),
    ]
    found = [time for time in times if time is not None]
    return sorted(found, key=lambda time: time.zone is None)


def audiomoth_time(comment: str) -> WrittenTime | None:
    """Return the start time in a comment of AudioMoth's firmware; None if it is another comment or no real time."""
    found = _AUDIOMOTH.search(comment)
    if found is None:
        return None
    numbers = {name: int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second")}
    local = day_and_time(**numbers)
    zone = parse_offset(found["zone"]) if found["zone"] else UTC
    if local is None or zone is None:
        return None  # a clock that was never set can write impossible dates
    return WrittenTime(local.replace(microsecond=int((found["fraction"] or "0").ljust(6, "0"))), zone)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and data of the metadata chunks of a WAV file, up to where its headers lead."""
    head = read_part(file, 0, 12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return
    order = ">" if head[:4] == b"RIFX" else "<"
    at, sound_bytes = 12, _UNKNOWN_SIZE
    for _ in range(_MAX_CHUNKS):
        header = read_part(file, at, 8)
        if len(header) < 8:
            return
        name, size = struct.unpack(f"{order}4sI", header)
        if name in _METADATA:
            data = read_part(file, at + 8, min(size, _MAX_CHUNK_BYTES))
            if name == b"ds64" and len(data) >= 16:
                sound_bytes = struct.unpack("<Q", data[8:16])[0]
            if name != b"LIST" or data[:4] == b"INFO":
                yield name, data
        if name == b"data" and size == _UNKNOWN_SIZE:
            size = sound_bytes
        at += 8 + size + size % 2


def _tail(file: BinaryIO) -> dict[bytes, bytes]:
    """Return metadata chunks at the end of a file, for files whose headers do not lead there."""
    size = file.seek(0, 2)
    start = max(0, size - _TAIL_BYTES)
    data = read_part(file, start, size - start)
    found: dict[bytes, bytes] = {}
    for name, beginning in ((b"guan", b"GUANO|"), (b"wamd", b"\0\0\2\0\0\0\1\0")):
        at = data.rfind(name)
        if at >= 0 and data[at + 8 :].startswith(beginning):
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            found[name] = data[at + 8 : at + 8 + length]
    return found


def _guano(data: bytes) -> WrittenTime | None:
    """Return the time in a chunk of GUANO 1.0, whose fields are lines of text."""
    found = _GUANO_TIME.search(data)
    return None if found is None else parse_time(found[1].decode("utf-8", "replace"))


def _wamd(data: bytes) -> WrittenTime | None:
    """Return the time in a chunk of Wildlife Acoustics, a sequence of numbered parts."""
    at = 0
    while at + 6 <= len(data):
        part, size = struct.unpack("<HI", data[at : at + 6])
        value = data[at + 6 : at + 6 + size]
        if part == _WAMD_VERSION and value[:2] != b"\1\0":
            return None
        if part == _WAMD_START_TIME:
            return parse_time(value[:64].decode("ascii", "replace"))
        at += 6 + size
    return None


def _bext(data: bytes) -> WrittenTime | None:
    """Return OriginationDate and OriginationTime of a Broadcast Wave file (EBU Tech 3285, 2.3)."""
    date, time = (data[start:end].decode("ascii", "replace").strip("\0 ") for start, end in ((320, 330), (330, 338)))
    return parse_time(f"{re.sub(r'[^0-9]', '-', date)} {re.sub(r'[^0-9]', ':', time)}") if date and time else None


def _info(data: bytes) -> dict[bytes, str]:
    """Return the texts of an INFO list by their names."""
    found: dict[bytes, str] = {}
    at = 4
    while at + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        found.setdefault(name, data[at + 8 : at + 8 + min(size, 1_024)].decode("utf-8", "replace").strip("\0 "))
        at += 8 + size + size % 2
    return found
