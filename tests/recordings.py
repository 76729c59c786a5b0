"""Recordings that tests make: containers written by hand, so that each size in them can lie."""

import io
import struct

import numpy as np
import soundfile

RATE_HZ = 8_000
_W64_RIFF = b"riff.\x91\xcf\x11\xa5\xd6(\xdb\x04\xc1\0\0"
_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
FORMAT = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)


def tone(seconds: float = 3.0, hz: float = 500.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def pcm(seconds: float = 3.0, order: str = "<") -> bytes:
    return (tone(seconds) * 32_767).astype(f"{order}i2").tobytes()


def chunk(name: bytes, content: bytes, stated: int | None = None, order: str = "<", padded: bool = True) -> bytes:
    size = len(content) if stated is None else stated
    return name + struct.pack(f"{order}I", size) + content + bytes(len(content) % 2 if padded else 0)


def wav(*chunks: bytes, riff: bytes = b"RIFF", stated: int | None = None, order: str = "<") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return riff + struct.pack(f"{order}I", len(body) if stated is None else stated) + body


def simple_wav(samples: bytes, riff_size: int | None = None, data_size: int | None = None) -> bytes:
    return wav(chunk(b"fmt ", FORMAT), chunk(b"data", samples, data_size), stated=riff_size)


def stereo_wav(seconds: float, second: int) -> bytes:
    """A tone on two channels; the second one is multiplied: -1 inverts it, 0 leaves it without a signal."""
    samples = np.frombuffer(pcm(seconds), "<i2")
    fmt = struct.pack("<HHIIHH", 1, 2, RATE_HZ, 4 * RATE_HZ, 4, 16)
    return wav(chunk(b"fmt ", fmt), chunk(b"data", np.stack((samples, second * samples), axis=1).tobytes()))


def rf64(samples: bytes, stated: int, riff: bytes = b"RF64") -> bytes:
    sizes = struct.pack("<QQQI", stated + 72, stated, stated // 2, 0)
    return wav(
        chunk(b"ds64", sizes), chunk(b"fmt ", FORMAT), chunk(b"data", samples, 2**32 - 1), riff=riff, stated=2**32 - 1
    )


def w64(samples: bytes, stated: int, riff_size: int = 0) -> bytes:
    fmt = b"fmt " + _W64_TAIL + struct.pack("<Q", 24 + len(FORMAT)) + FORMAT
    data = b"data" + _W64_TAIL + struct.pack("<Q", stated) + samples
    return _W64_RIFF + struct.pack("<Q", riff_size) + b"wave" + _W64_TAIL + fmt + data


def aiff(samples: bytes, stated: int | None = None, frames: int | None = None, form_size: int = 0) -> bytes:
    count = len(samples) // 2 if frames is None else frames
    common = struct.pack(">HIH", 1, count, 16) + struct.pack(">HQ", 16_383 + 12, RATE_HZ << 51)
    sound = struct.pack(">II", 0, 0) + samples
    body = b"AIFF" + chunk(b"COMM", common, order=">") + chunk(b"SSND", sound, stated, order=">")
    return b"FORM" + struct.pack(">I", form_size) + body


def au(samples: bytes, stated: int) -> bytes:
    return b".snd" + struct.pack(">IIIII", 24, stated, 3, RATE_HZ, 1) + samples


def caf(samples: bytes, stated: int) -> bytes:
    description = struct.pack(">d4sIIIII", RATE_HZ, b"lpcm", 0, 2, 1, 1, 16)
    desc = b"desc" + struct.pack(">q", len(description)) + description
    return b"caff\0\1\0\0" + desc + b"data" + struct.pack(">q", stated) + bytes(4) + samples


def encoded(form: str, subtype: str | None = None, seconds: float = 6.0, rate_hz: int = 32_000) -> bytes:
    """A tone with noise, which makes many blocks or pages."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz))
    file = io.BytesIO()
    soundfile.write(file, tone(seconds, 1_000, rate_hz) + noise, rate_hz, format=form, subtype=subtype)
    return file.getvalue()


def m4a(seconds: float = 3.0, container: str = "ipod") -> bytes:
    """A tone in AAC; ``container`` is a name of FFmpeg: ipod, mp4, adts, matroska."""
    import av

    file = io.BytesIO()
    samples = tone(seconds, 1_000, 32_000)
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream("aac", rate=32_000, layout="mono")
        for start in range(0, samples.size, 1_024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1_024].copy(), "fltp", "mono")
            frame.sample_rate, frame.pts = 32_000, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def replaced(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]
