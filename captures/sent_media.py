"""Limits on the thumbnails and clips that stations send, checked on their headers before anything is decoded.

A station writes thumbnails of 960 pixels and clips of seconds; whoever has its password can send anything. Originals,
which stay on the station, have the wider limits of ``captures.picture`` and ``captures.sound``.
"""

import struct

from captures.decoded import Unreadable
from captures.media_type import FILM_TYPES, PICTURE_TYPES, media_type
from captures.mp4_header import check_mp4
from captures.picture_header import png_chunks, read_header

MAX_SIDE_PX = 8_192
MAX_PIXELS = 16_777_216  # 4,096 x 4,096: 64 MB decoded
MAX_SOUND_FRAMES = 43_200_000  # 15 minutes at 48 kHz: 173 MB decoded
MAX_SOUND_CHANNELS = 2
SOUND_RATES_HZ = (1_000, 384_000)
# Comments and colour profiles; a decoder that inflates them gets at most a thousand times as much.
_MAX_ANCILLARY_BYTES = 65_536
_PCM = {1: "PCM", 3: "float", 0xFFFE: "extensible"}


def check_sent(data: bytes) -> str:
    """Check the header of a thumbnail or clip, and return its media type.

    Raises:
        Unreadable: it has none of the accepted forms, is cut off or goes on after its end, or is too large to decode.
    """
    found = media_type(data)
    if found is None:
        raise Unreadable(f"starts with {data[:8]!r}: expected a JPEG, PNG, MP3, FLAC, WAV or MP4 file")
    if found in PICTURE_TYPES:
        _check_picture(data)
    elif found in FILM_TYPES:
        check_mp4(data)
    else:
        _check_sound(data)
    return found


def check_sent_picture(data: bytes) -> str:
    """Check the header of a thumbnail as ``check_sent`` does, and that it is a picture."""
    found = check_sent(data)
    if found not in PICTURE_TYPES:
        raise Unreadable(f"{found}: expected a picture")
    return found


def check_sound(kind: str, rate_hz: int, channels: int, frames: int) -> None:
    """Check the format of a clip; a ``frames`` of 0 is unknown.

    Raises:
        Unreadable: the clip is too long, or has too many channels or samples a second.
    """
    low, high = SOUND_RATES_HZ
    if not low <= rate_hz <= high:
        raise Unreadable(f"{kind} clip of {rate_hz} Hz: expected {low} to {high}")
    if not 1 <= channels <= MAX_SOUND_CHANNELS:
        raise Unreadable(f"{kind} clip of {channels} channels: expected at most {MAX_SOUND_CHANNELS}")
    if frames > MAX_SOUND_FRAMES:
        raise Unreadable(f"{kind} clip of {frames} samples: expected a clip of at most {MAX_SOUND_FRAMES}")


def _check_picture(data: bytes) -> None:
    header = read_header(data)
    size = f"{header.kind} of {header.width} x {header.height} pixels"
    if max(header.width, header.height) > MAX_SIDE_PX or header.width * header.height > MAX_PIXELS:
        raise Unreadable(f"{size}: expected at most {MAX_PIXELS} pixels and {MAX_SIDE_PX} a side")
    if header.damage:
        raise Unreadable(f"{size} {header.damage}")
    if header.end != len(data):
        raise Unreadable(f"{size} with {len(data) - header.end} bytes after its end: expected none")
    if header.kind == "PNG":
        # The first letter of a chunk's type is small if the picture can be decoded without the chunk.
        ancillary = sum(length for kind, _, length in png_chunks(data) if kind[:1].islower())
        if ancillary > _MAX_ANCILLARY_BYTES:
            raise Unreadable(f"{size} with {ancillary} bytes of comments: expected at most {_MAX_ANCILLARY_BYTES}")


def _check_sound(data: bytes) -> None:
    try:
        if data[:4] == b"fLaC":
            _check_flac(data)
        elif data[:4] == b"RIFF":
            _check_wav(data)
    except struct.error as error:
        raise Unreadable(f"a clip cut off after {len(data)} bytes: its header is missing") from error


def _check_flac(data: bytes) -> None:
    """Check the STREAMINFO block, which is the first of a FLAC file (RFC 9639, 8.2)."""
    if data[4:5] not in (b"\0", b"\x80") or data[5:8] != b"\0\0\x22":
        raise Unreadable("FLAC clip without STREAMINFO as its first block")
    (packed,) = struct.unpack_from(">Q", data, 18)  # 20 bits of rate, 3 of channels, 5 of depth, 36 of samples
    check_sound("FLAC", packed >> 44, (packed >> 41 & 0x7) + 1, packed & (1 << 36) - 1)


def _check_wav(data: bytes) -> None:
    """Check the ``fmt`` chunk of a WAV file; without compression, its bytes limit its samples."""
    at = 12
    while data[at : at + 4] != b"fmt ":
        (length,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + length + length % 2
    codec, channels, rate_hz = struct.unpack_from("<HHI", data, at + 8)
    if codec not in _PCM:
        raise Unreadable(f"WAV clip with codec {codec}: expected {', '.join(_PCM.values())}")
    check_sound("WAV", rate_hz, channels, 0)
