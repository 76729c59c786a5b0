"""Layout of a recording with uncompressed samples: rate, channels, sample format, and where the samples are."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from captures.chunks import AIFF, CAF, RIFF, RIFX, WAVE64, WAVE64_TAIL, Chunks, ReadAt, find_chunks, wrong_size
from captures.decoded import Unreadable

_GUID_TAIL = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"  # of the sample formats of WAVE_FORMAT_EXTENSIBLE
SampleKind = Literal["signed", "unsigned", "float", "ulaw", "alaw"]


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """Form of one sample.

    Attributes:
        kind: Signed or unsigned integer, float, or 8 bits by G.711's µ-law or A-law.
        width: Bytes of a sample.
        big_endian: Order of these bytes.
    """

    kind: SampleKind
    width: int
    big_endian: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a recording.

    Attributes:
        form: Name of the container, as ``FileKind.form``.
        rate_hz: Samples per second and channel.
        channels: Number of channels.
        samples: Form of a sample; None: the samples are compressed.
        start: Position of the first sample in the file.
        end: Position after the last sample, by the real size of the file.
        complete: Whether the header states where the samples end, and they do.
        remark: What is wrong with the sizes in the header; "" if nothing is.
        comment: Comment of the recorder; "": there is none.
        format_chunk: Content of the chunk ``fmt `` of a WAV or W64 file.
    """

    form: str
    rate_hz: int
    channels: int
    samples: SampleFormat | None
    start: int
    end: int
    complete: bool
    remark: str = ""
    comment: str = ""
    format_chunk: bytes = b""


def read_layout(form: str, read: ReadAt, file_size: int) -> Layout:
    """Read the header of a WAV, W64, AIFF, AU or CAF file.

    Raises:
        Unreadable: the header lacks the format of the samples or the samples.
    """
    readers: dict[str, Callable[[ReadAt, int], Layout]] = {
        "WAV": _wav,
        "W64": _wave64,
        "AIFF": _aiff,
        "AU": _au,
        "CAF": _caf,
    }
    try:
        return readers[form](read, file_size)
    except struct.error as error:
        raise Unreadable("the header is cut off") from error


def _wav(read: ReadAt, file_size: int) -> Layout:
    syntax = RIFX if read(0, 4) == b"RIFX" else RIFF
    chunks = find_chunks(read, file_size, 12, syntax)
    return _wave("WAV", chunks, chunks.content(b"fmt ", read), syntax is RIFX, _info_comment(chunks, read))


def _wave64(read: ReadAt, file_size: int) -> Layout:
    chunks = find_chunks(read, file_size, 40, WAVE64)
    return _wave("W64", chunks, chunks.content(b"fmt " + WAVE64_TAIL, read), False, "")


def _wave(form: str, chunks: Chunks, content: bytes, big_endian: bool, comment: str) -> Layout:
    """Interpret the chunk ``fmt `` (Microsoft, Multiple Channel Audio Data and WAVE Files)."""
    if not content:
        raise Unreadable("no chunk with the format of the samples")
    start = _data_start(chunks)
    order = ">" if big_endian else "<"
    codec, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from(f"{order}HHIIHH", content)
    if codec == 0xFFFE and content[26:40] == _GUID_TAIL:
        (codec,) = struct.unpack_from(f"{order}H", content, 24)
    width = frame_bytes // channels if channels and frame_bytes % channels == 0 else 0
    if not (bits + 7) // 8 <= width <= 8:
        width = (bits + 7) // 8
    samples: SampleFormat | None = None
    if codec == 1 and 1 <= width <= 4:
        samples = SampleFormat("unsigned" if width == 1 else "signed", width, big_endian)
    elif codec == 3 and width in (4, 8):
        samples = SampleFormat("float", width, big_endian)
    elif codec in (6, 7):
        samples = SampleFormat("alaw" if codec == 6 else "ulaw", 1, big_endian)
    return Layout(form, rate_hz, channels, samples, start, chunks.end, chunks.complete, chunks.remark, comment, content)


def _info_comment(chunks: Chunks, read: ReadAt) -> str:
    """Return the comment in the chunk ``LIST`` of type ``INFO``, as AudioMoth writes it."""
    content = chunks.content(b"LIST", read)
    at = content.find(b"ICMT")
    if content[:4] != b"INFO" or at < 0 or len(content) < at + 8:
        return ""
    (size,) = struct.unpack_from("<I", content, at + 4)
    return content[at + 8 : at + 8 + size].split(b"\0")[0].decode(errors="replace")


def _data_start(chunks: Chunks) -> int:
    if chunks.data is None:
        raise Unreadable("no chunk with samples")
    return chunks.data.start


def _aiff(read: ReadAt, file_size: int) -> Layout:
    """Read an AIFF or AIFC header (Apple, Audio Interchange File Format AIFF-C, 1991)."""
    chunks = find_chunks(read, file_size, 12, AIFF)
    common = chunks.content(b"COMM", read)
    if not common:
        raise Unreadable("no chunk with the format of the samples")
    channels, _, bits = struct.unpack_from(">HIH", common)
    rate_hz = _extended(common[8:18])
    codec = common[18:22] if read(8, 4) == b"AIFC" else b"NONE"
    start = _data_start(chunks)
    (offset,) = struct.unpack(">I", read(start, 4))
    width = (bits + 7) // 8
    samples: SampleFormat | None = None
    if codec in (b"NONE", b"twos", b"sowt", b"in24", b"in32") and 1 <= width <= 4:
        samples = SampleFormat("signed", width, codec != b"sowt")
    elif codec == b"raw ":
        samples = SampleFormat("unsigned", 1, True)
    elif codec.lower() in (b"fl32", b"fl64"):
        samples = SampleFormat("float", 4 if codec.lower() == b"fl32" else 8, True)
    elif codec.lower() in (b"ulaw", b"alaw"):
        samples = SampleFormat("ulaw" if codec.lower() == b"ulaw" else "alaw", 1, True)
    start = min(start + 8 + offset, chunks.end)
    return Layout("AIFF", rate_hz, channels, samples, start, chunks.end, chunks.complete, chunks.remark)


def _extended(number: bytes) -> int:
    """Convert an 80-bit number of IEEE 754 with sign, exponent and 64-bit fraction; 0 if it is not positive."""
    exponent, fraction = struct.unpack(">hQ", number)
    return round(math.ldexp(fraction, exponent - 16_383 - 63)) if 0 <= exponent < 16_383 + 63 else 0


def _au(read: ReadAt, file_size: int) -> Layout:
    """Read an AU header (Sun Microsystems, au(4)); a size of 0xFFFFFFFF means: to the end of the file."""
    start, stated, encoding, rate_hz, channels = struct.unpack(">IIIII", read(4, 20))
    if not 24 <= start <= file_size:
        raise Unreadable(f"samples at byte {start}: expected 24 to {file_size}")
    remark = "" if stated == 0xFFFFFFFF else wrong_size(stated, file_size - start)
    forms: dict[int, SampleFormat] = {
        1: SampleFormat("ulaw", 1, True),
        **{1 + width: SampleFormat("signed", width, True) for width in (1, 2, 3, 4)},
        6: SampleFormat("float", 4, True),
        7: SampleFormat("float", 8, True),
        27: SampleFormat("alaw", 1, True),
    }
    if encoding not in forms:
        raise Unreadable(f"AU encoding {encoding}: expected one of {sorted(forms)}")
    complete = 0 < stated == file_size - start
    return Layout("AU", rate_hz, channels, forms[encoding], start, file_size, complete, remark)


def _caf(read: ReadAt, file_size: int) -> Layout:
    """Read a CAF header (Apple, Core Audio Format Specification 1.0); a size of -1 means: to the end of the file."""
    chunks = find_chunks(read, file_size, 8, CAF, unknown_size_allowed=True)
    description = chunks.content(b"desc", read)
    if not description:
        raise Unreadable("no chunk with the format of the samples")
    rate, codec, flags, _, _, channels, bits = struct.unpack_from(">d4sIIIII", description)
    if not (math.isfinite(rate) and 0 <= rate < 1e9):
        raise Unreadable(f"the header says {rate} Hz")
    width = (bits + 7) // 8
    samples: SampleFormat | None = None
    if codec == b"lpcm" and flags & 1 and width in (4, 8):
        samples = SampleFormat("float", width, not flags & 2)
    elif codec == b"lpcm" and not flags & 1 and 1 <= width <= 4:
        samples = SampleFormat("signed", width, not flags & 2)
    elif codec in (b"ulaw", b"alaw"):
        samples = SampleFormat("ulaw" if codec == b"ulaw" else "alaw", 1, True)
    start = min(_data_start(chunks) + 4, chunks.end)  # behind the edit count
    return Layout("CAF", round(rate), channels, samples, start, chunks.end, chunks.complete, chunks.remark)
