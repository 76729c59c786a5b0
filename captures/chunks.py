"""Chunks of WAV, RF64, W64, AIFF and CAF files, found by what the file holds and not only by the sizes it states.

Recorders write the sizes of a file last: after a power cut they are 0 or the highest number, and over 4 GiB they wrap.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

ReadAt = Callable[[int, int], bytes]
"""Returns at most so many bytes (second argument) from a position (first argument) of the file."""

_UNFINISHED = 0x7FFF0000  # from here up, programs that write to a pipe state a size that they do not know
UNFINISHED = "its header was never finished"
_MOST_CHUNKS = 1_000
_TAIL_BYTES = 4_096
_LEAST = 8  # bytes of the smallest chunk; fewer at the end of a file are padding
# Chunks that recorders and editors write after the samples.
_KNOWN = (
    *(b"LIST", b"guan", b"wamd", b"bext", b"iXML", b"JUNK", b"junk", b"PAD ", b"FLLR", b"fmt ", b"fact", b"cue "),
    *(b"smpl", b"inst", b"plst", b"PEAK", b"id3 ", b"ID3 ", b"_PMX", b"axml", b"chna", b"afsp", b"DISP", b"acid"),
    *(b"COMM", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"COMT", b"MARK", b"INST", b"APPL", b"FVER", b"CHAN"),
    *(b"desc", b"chan", b"pakt", b"kuki", b"info", b"free", b"strg", b"mark", b"regn", b"umid", b"peak", b"uuid"),
)


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a container writes its chunks.

    Attributes:
        header: Structure of name and size.
        inclusive: Whether the size includes the header.
        alignment: Chunks start at multiples of so many bytes.
        data: Name of the chunk with the samples.
    """

    header: struct.Struct
    inclusive: bool
    alignment: int
    data: bytes


RIFF = Syntax(struct.Struct("<4sI"), False, 2, b"data")
RIFX = Syntax(struct.Struct(">4sI"), False, 2, b"data")
WAVE64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # of the GUIDs that name W64 chunks
WAVE64 = Syntax(struct.Struct("<16sQ"), True, 8, b"data" + WAVE64_TAIL)
AIFF = Syntax(struct.Struct(">4sI"), False, 2, b"SSND")
CAF = Syntax(struct.Struct(">4sq"), False, 1, b"data")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as its header states it.

    Attributes:
        name: Four bytes, in a W64 file sixteen.
        start: Position of its content.
        size: Size of its content as stated.
    """

    name: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Chunks:
    """Chunks of a file.

    Attributes:
        named: The first chunk of each name; without the samples.
        data: Chunk with the samples; None: there is none.
        end: Where the samples end in the file.
        remark: What is wrong with the stated size of the samples; "" if nothing is.
        complete: Whether a size is stated and the samples end there.
    """

    named: dict[bytes, Chunk]
    data: Chunk | None
    end: int
    remark: str
    complete: bool

    def content(self, name: bytes, read: ReadAt, most: int = 4_096) -> bytes:
        """Return the first bytes of a chunk; b"" if there is no such chunk."""
        chunk = self.named.get(name)
        return read(chunk.start, min(chunk.size, most)) if chunk is not None and chunk.size > 0 else b""


def find_chunks(read: ReadAt, file_size: int, start: int, syntax: Syntax, unknown_size_allowed: bool = False) -> Chunks:
    """Find the chunks of a file; its real size counts, not the stated one.

    Args:
        read: Reads from the file.
        file_size: Real size of the file, in bytes.
        start: Position of the first chunk.
        syntax: How the container writes chunks.
        unknown_size_allowed: Whether the format has a size that means "to the end of the file"; it gives no remark.
    """
    named: dict[bytes, Chunk] = {}
    data, end, remark, at = None, file_size, "", start
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk_at(read, at, syntax)
        if chunk is None:
            break
        if chunk.name == syntax.data and (data is None or data.size == 0):
            chunk = data = Chunk(chunk.name, chunk.start, _long_size(chunk, named, read))
            end, remark = _data_end(read, file_size, data, syntax, unknown_size_allowed)
            if end != data.start + data.size:
                break  # where the next chunk starts is unknown
        else:
            named.setdefault(chunk.name, chunk)
        at = _next(read, chunk.start + chunk.size, syntax)
        if chunk.size < 0 or at > file_size:
            break
    if data is not None and b"fmt " not in named and syntax in (RIFF, RIFX):
        end = _add_late_format(read, file_size, data, end, named)
    return Chunks(named, data, end, remark, complete=data is not None and end == data.start + data.size > data.start)


def _chunk_at(read: ReadAt, at: int, syntax: Syntax) -> Chunk | None:
    header = read(at, syntax.header.size)
    if len(header) < syntax.header.size:
        return None
    name, size = syntax.header.unpack(header)
    return Chunk(name, at + len(header), size - len(header) if syntax.inclusive else size)


def _next(read: ReadAt, end: int, syntax: Syntax) -> int:
    """Return the position of the next chunk; some programs leave out the padding byte of an odd chunk."""
    padded = end + -end % syntax.alignment
    if padded != end and not _is_name(read(padded, 4)) and _is_name(read(end, 4)):
        return end
    return padded


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= letter < 0x7F for letter in name)


def _long_size(chunk: Chunk, named: dict[bytes, Chunk], read: ReadAt) -> int:
    """Return the stated size of the samples; in RF64 and BW64 the chunk ``ds64`` has it (EBU Tech 3306)."""
    if chunk.size == 0xFFFFFFFF and b"ds64" in named:
        sizes = read(named[b"ds64"].start, 16)
        return struct.unpack_from("<Q", sizes, 8)[0] if len(sizes) == 16 else chunk.size
    return chunk.size


def _size_holds(read: ReadAt, file_size: int, data: Chunk, syntax: Syntax) -> bool:
    """Return whether the samples end where their chunk says: at the end of the file, or before other chunks."""
    end = data.start + data.size
    if data.size < 0 or end > file_size:
        return False
    return file_size - end < _LEAST or _chunks_follow(read, file_size, _next(read, end, syntax), syntax)


def _chunks_follow(read: ReadAt, file_size: int, at: int, syntax: Syntax) -> bool:
    for _ in range(_MOST_CHUNKS):
        if file_size - at < _LEAST:
            return True
        chunk = _chunk_at(read, at, syntax)
        if chunk is None or chunk.size < 0 or not _is_name(chunk.name[:4]):
            return False
        if chunk.name[:4] in _KNOWN:
            return True
        if chunk.start + chunk.size > file_size:
            return False
        at = _next(read, chunk.start + chunk.size, syntax)
    return False


def _data_end(read: ReadAt, file_size: int, data: Chunk, syntax: Syntax, unknown_size_allowed: bool) -> tuple[int, str]:
    there = file_size - data.start
    if _size_holds(read, file_size, data, syntax):
        return data.start + data.size, ""
    if data.size <= 0 or (data.size > there and data.size >= _UNFINISHED):
        allowed = unknown_size_allowed and data.size != 0
        return file_size, "" if allowed else UNFINISHED
    return file_size, wrong_size(data.size, there)


def wrong_size(stated: int, there: int) -> str:
    """Return in words what is wrong with a stated size of the samples, in bytes; "" if nothing is."""
    if stated == 0 and there:
        return UNFINISHED
    if stated > there:
        return f"cut off: the header says {stated} bytes of sound"
    return f"the header says {stated} bytes of sound and more follow (sizes wrap at 4 GiB)" if stated < there else ""


def _add_late_format(read: ReadAt, file_size: int, data: Chunk, end: int, named: dict[bytes, Chunk]) -> int:
    """Look for the chunk ``fmt `` behind samples whose size is wrong; return where the samples then end."""
    start = max(data.start, file_size - _TAIL_BYTES)
    tail = read(start, _TAIL_BYTES)
    at = tail.rfind(b"fmt ")
    chunk = _chunk_at(read, start + at, RIFF) if at >= 0 else None
    if chunk is None or not 16 <= chunk.size <= 64:
        return end
    named[b"fmt "] = chunk
    return start + at
