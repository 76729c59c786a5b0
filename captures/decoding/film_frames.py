"""Choice of a film's frames for the detectors: sampled by time, then the one with most motion of each eighth.

The rule: at most every half second a frame is looked at, and at most 64 of a film: whenever there are more, every
second one is dropped and the interval doubles. The frames that were looked at are cut into eight stretches of equal
number. Of each stretch, the frame that differs most from the film's background is chosen; the background is the median
of all frames that were looked at. Equal frames are decided by sharpness.

Films of which each frame is compressed alone (MJPEG) are decoded only where a frame is looked at. Of other films only
key frames are decoded as soon as they come at least as often as frames are looked at; else every frame.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from captures.decoded import Unreadable
from captures.decoding.container import (
    MAX_PIXELS,
    describe,
    missing_end,
    open_container,
    plausible_seconds,
    sound_of,
    tags_of,
    upright_pixels,
    video_of,
)
from captures.decoding.messages import FilmFrame, FilmHead, FilmTask

STEP_S = 0.5
MOST_LOOKED_AT = 64
CHOSEN = 8
LONGEST_PX = 1_920
_JPEG_QUALITY = 92
_KEY_FRAME_S = 1.0  # key frames at most this far apart are frequent enough for a film of seconds
_SMALL = (160, 120)  # pixels of the pictures in which motion is measured
_MOVED = 25  # of 256 grey levels: above a night picture's noise, which the small picture averages out
_CPU_S = 60.0  # then what was looked at so far is used
_MOST_ERRORS = 50  # packets in a row that cannot be decoded
_SHORTER_S, _SHORTER = 2.0, 0.9  # a film is cut off if it ends this long and this much before its declared end


@dataclass(slots=True)
class _Looked:
    at_s: float
    jpeg: bytes
    small: NDArray[np.uint8]
    sharpness: float
    moved: float = 0.0


@dataclass(slots=True)
class _Reading:
    """The frames of a film that were looked at, and how far the film was read."""

    looked: list[_Looked] = field(default_factory=list)
    step_s: float = STEP_S
    due_s: float = 0.0
    width: int = 0
    height: int = 0
    end_s: float = 0.0
    problem: str = ""

    def look(self, frame: VideoFrame, at_s: float) -> None:
        """Keep a frame if it is due."""
        if at_s < self.due_s or frame.is_corrupt:
            return
        if frame.width * frame.height > MAX_PIXELS or min(frame.width, frame.height) < 1:
            raise Unreadable(f"frames of {frame.width} x {frame.height} pixels: expected at most {MAX_PIXELS} pixels")
        picture = _looked(frame, at_s)
        if not self.looked:
            quarter = round(frame.rotation / 90) % 2
            self.width, self.height = (frame.height, frame.width) if quarter else (frame.width, frame.height)
        self.looked.append(picture)
        self.due_s = at_s + self.step_s
        if len(self.looked) > MOST_LOOKED_AT:
            self.looked = self.looked[::2]
            self.step_s *= 2
            self.due_s = self.looked[-1].at_s + self.step_s


def sample_film(task: FilmTask) -> Iterator[FilmHead | FilmFrame]:
    """Yield what a film is, and its chosen frames in the order of time; none if it has only sound.

    Raises:
        Unreadable: it cannot be opened, or has neither a frame that can be decoded nor a sound track.
    """
    with open_container(task.descriptor, task.format) as container:
        tags, has_sound = tags_of(container), sound_of(container) is not None
        declared_s = plausible_seconds(container.duration / av.time_base if container.duration else None)
        stream = video_of(container)
        if stream is None:
            if not has_sound:
                tracks = ", ".join(one.type for one in container.streams) or "none"
                raise Unreadable(
                    f"there are neither pictures nor sound in a form that can be decoded; tracks: {tracks}"
                )
            yield FilmHead("", 0, 0, declared_s, has_sound, tags)
            return
        reading = _read(container, stream, declared_s)
        reading.problem = reading.problem or missing_end(task.descriptor, task.format)
        if not reading.looked and not has_sound:
            raise Unreadable(reading.problem or "a film without a frame that can be decoded")
        codec = stream.codec_context.name if reading.looked else ""
        duration_s = round(reading.end_s, 3) if reading.looked else declared_s
        yield FilmHead(codec, reading.width, reading.height, duration_s, has_sound, tags, reading.problem)
        for one in chosen(reading.looked):
            yield FilmFrame(round(one.at_s, 3), round(one.moved, 4), one.jpeg)


def chosen(looked: list[_Looked]) -> list[_Looked]:
    """Return the frame with most motion of each of eight stretches; all frames if there are no more than eight."""
    if not looked:
        return []
    pictures = np.stack([one.small for one in looked])
    background = np.median(pictures, axis=0)
    for one in looked:
        one.moved = float(np.mean(np.abs(one.small - background) > _MOVED))
    stretches = np.array_split(np.arange(len(looked)), min(CHOSEN, len(looked)))
    return [max((looked[at] for at in stretch), key=lambda one: (one.moved, one.sharpness)) for stretch in stretches]


def _read(container: InputContainer, stream: VideoStream, declared_s: float) -> _Reading:
    reading, errors = _Reading(), 0
    choice = _PacketChoice(stream)
    began = time.process_time()
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            if packet.size and not choice.wanted(packet, reading):
                continue
            for frame in packet.decode():
                reading.look(frame, choice.time_of(frame))
            errors = 0
        except (av.error.InvalidDataError, av.error.EOFError) as error:
            errors += 1
            reading.problem = f"a part of it cannot be decoded: {describe(error)}"
            if errors > _MOST_ERRORS:
                break
        except av.error.FFmpegError as error:
            reading.problem = f"it cannot be read further: {describe(error)}"
            break
        if time.process_time() - began > _CPU_S:
            reading.problem = f"only its first {choice.end_s:.0f} s were looked at: decoding them took {_CPU_S:.0f} s"
            break
    reading.end_s = max(choice.end_s, reading.looked[-1].at_s if reading.looked else 0.0)
    if not reading.problem and reading.end_s < min(declared_s - _SHORTER_S, declared_s * _SHORTER):
        reading.problem = f"it ends after {reading.end_s:.1f} s of {declared_s:.1f} s: the file is cut off"
    return reading


class _PacketChoice:
    """Decides which packets of a film are decoded, and computes times from the film's first packet."""

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        self._frame_s = 1 / float(rate) if rate and 0.01 < rate < 1_000 else 0.1
        self._alone = stream.codec_context.codec.intra_only
        self._base = float(stream.time_base) if stream.time_base else self._frame_s
        self._first: int | None = None
        self._packets = self._frames = 0
        self._key_s: float | None = None  # time of the last key frame
        self._keys_only = False
        self.end_s = 0.0

    def wanted(self, packet: "av.Packet[VideoStream]", reading: _Reading) -> bool:
        """Return whether a packet is to be decoded."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if self._first is None and pts is not None:
            self._first = pts
        at_s = self._seconds(pts, self._packets)
        self._packets += 1
        self.end_s = max(self.end_s, at_s + self._frame_s)
        if self._alone:
            return at_s >= reading.due_s
        if packet.is_keyframe:
            apart_s = None if self._key_s is None else at_s - self._key_s
            # Key frames that follow each other directly are no proof: some containers call every frame one.
            self._keys_only = apart_s is not None and 2 * self._frame_s < apart_s <= max(_KEY_FRAME_S, reading.step_s)
            self._key_s = at_s
        return packet.is_keyframe or not self._keys_only

    def time_of(self, frame: VideoFrame) -> float:
        """Return the time of a decoded frame in seconds."""
        at_s = self._seconds(frame.pts, self._frames)
        self._frames += 1
        return at_s

    def _seconds(self, pts: int | None, number: int) -> float:
        """Return a time in seconds from the first packet; by the number of the frame if the time is no time."""
        if pts is None or self._first is None:
            return number * self._frame_s
        found = (pts - self._first) * self._base
        return found if 0 <= found <= 86_400 else number * self._frame_s


def _looked(frame: VideoFrame, at_s: float) -> _Looked:
    small = np.asarray(frame.reformat(*_SMALL, format="gray", interpolation="AREA").to_ndarray(), np.uint8)
    edges = np.diff(small.astype(np.float32), axis=1)
    file = BytesIO()
    Image.fromarray(upright_pixels(frame, LONGEST_PX)).save(file, "JPEG", quality=_JPEG_QUALITY)
    return _Looked(at_s, file.getvalue(), small, sharpness=float(np.mean(np.square(edges))))
