"""Pictures and recordings that take far more memory or time than their size tells, made by the tests that open them."""

import io
import struct
import zlib

import numpy as np
import soundfile


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, *extra: bytes, channels: int = 3, rows: int | None = None) -> bytes:
    """A black PNG, with further chunks after its header; with fewer ``rows``, a header that promises more."""
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    row = bytes(1 + channels * width)
    deflate = zlib.compressobj(9)
    pixels = b"".join(deflate.compress(row) for _ in range(height if rows is None else rows)) + deflate.flush()
    chunks = png_chunk(b"IHDR", header) + b"".join(extra) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def silence(frames: int, channels: int = 1, rate_hz: int = 48_000, form: str = "FLAC") -> bytes:
    """Silence as a recording; FLAC takes about 3 bytes for a thousand samples of it."""
    file = io.BytesIO()
    block = np.zeros((480_000, channels), np.int16)
    with soundfile.SoundFile(
        file, "w", samplerate=rate_hz, channels=channels, format=form, subtype="PCM_16"
    ) as recording:
        for start in range(0, frames, len(block)):
            recording.write(block[: frames - start])
    return file.getvalue()


def flac_that_says(frames: int, data: bytes) -> bytes:
    """A FLAC file whose header tells another number of samples; 0: unknown (RFC 9639, 8.2)."""
    (packed,) = struct.unpack_from(">Q", data, 18)
    return data[:18] + struct.pack(">Q", packed >> 36 << 36 | frames) + data[26:]
