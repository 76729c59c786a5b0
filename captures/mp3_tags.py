"""Skipping of the ID3 tags before an MP3 file, to know by the bytes after them what the file is.

libsndfile looks for every format that it knows behind such a tag, and version 1.2.2 never returns from some of them.
"""

from collections.abc import Callable

_MAX_TAGS = 8
_HEADER_BYTES = 10


def bytes_after_tags(read_at: Callable[[int], bytes]) -> bytes:
    """Return the first bytes of a file after its ID3 tags; b"" if a tag is damaged or there are too many.

    Args:
        read_at: Returns at least the twelve bytes at a position, fewer at the end.

    Source: ID3 tag version 2.4.0, main structure, 3.1.
    """
    at = 0
    for _ in range(_MAX_TAGS):
        head = read_at(at)
        if head[:3] != b"ID3":
            return head
        size = head[6:_HEADER_BYTES]
        if len(size) < 4 or max(size) > 0x7F:
            return b""
        at += _HEADER_BYTES + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    return b""


def is_mp3_frame(data: bytes) -> bool:
    """Return whether data starts with a valid frame header of MPEG audio, layer III (ISO/IEC 11172-3, 2.4.1.3)."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    bit_rate, sample_rate = data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sample_rate != 3
