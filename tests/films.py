"""Films that tests make: a bright disc that moves over a still background, with or without a tone."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

RATE_HZ = 16_000


def scene(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Make one frame: an uneven background, and a disc that is 3 pixels further to the right in each frame."""
    ground = np.tile(np.linspace(60, 120, width, dtype=np.uint8), (height, 1))
    picture = np.dstack([ground, ground, ground])
    cv2.circle(picture, (10 + 3 * number % max(1, width - 20), height // 2), height // 8, (250, 250, 250), -1)
    return picture


def write_film(
    path: Path,
    *,
    codec: str = "mjpeg",
    seconds: float = 4.0,
    rate: int = 10,
    size: tuple[int, int] = (320, 240),
    sound: str = "",
    frames: Iterator[NDArray[np.uint8]] | None = None,
    tags: dict[str, str] | None = None,
    index_first: bool = False,
    key_every: int = 12,
    loud_s: tuple[float, float] | None = None,
    times: list[int] | None = None,
) -> Path:
    """Write a film in the container that the name's suffix says, with a tone of 880 Hz if ``sound`` names a codec.

    Args:
        path: File to write.
        codec: FFmpeg's name of the video encoder; "": only sound.
        seconds: Length of the film.
        rate: Frames a second.
        size: Width and height.
        sound: FFmpeg's name of the sound encoder; "": no sound track.
        frames: The frames; None: a moving disc.
        tags: Tags of the container.
        index_first: Write the index of an MP4 before its frames.
        key_every: Frames from one key frame to the next.
        loud_s: Where the tone is; None: everywhere.
        times: Presentation time of each frame in units of 1 / ``rate`` seconds, for a variable frame rate.
    """
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as output:
        output.metadata.update(tags or {})
        number = round(seconds * rate)
        video = cast(VideoStream, output.add_stream(codec, rate=rate)) if codec else None
        audio = cast(AudioStream, output.add_stream(sound, rate=RATE_HZ, layout="mono")) if sound else None
        if video is not None:
            video.width, video.height = size
            video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            video.options = {"g": str(key_every), "x265-params": "log-level=none", "preset": "ultrafast"}
            if codec in ("libvpx", "mjpeg", "mpeg4"):
                video.options = {"g": str(key_every)}
            pictures = frames or (scene(at, *size) for at in range(number))
            for at, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=video.pix_fmt)
                frame.pts, frame.time_base = times[at] if times else at, Fraction(1, rate)
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        if audio is not None:
            _write_tone(output, audio, seconds, loud_s or (0.0, seconds))
    return path


def _write_tone(output: OutputContainer, audio: AudioStream, seconds: float, loud_s: tuple[float, float]) -> None:
    moments = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 880 * moments) * ((moments >= loud_s[0]) & (moments < loud_s[1]))
    whole = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
    whole.sample_rate, whole.pts = RATE_HZ, 0
    fifo = av.AudioFifo()
    fifo.write(whole)
    resampler = av.AudioResampler(format=audio.codec_context.format.name, layout="mono", rate=RATE_HZ)
    while (part := fifo.read(audio.codec_context.frame_size or 1_024, partial=True)) is not None:
        for frame in resampler.resample(part):
            output.mux(audio.encode(frame))
    output.mux(audio.encode(None))


def turn_right(path: Path) -> None:
    """Make an MP4 say that it is to be shown a quarter turned to the right (ISO/IEC 14496-12, 8.3.2)."""
    data = path.read_bytes()
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    right = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + right + data[at + len(right) :])
