"""A short stretch of a film as H.264 in MP4, which every browser plays: small, without sound and without metadata."""

import time
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from captures.decoded import Unreadable
from captures.decoding.container import open_container, upright_pixels, video_of
from captures.decoding.messages import ClipTask, Content

LONGEST_PX = 640
FRAMES_PER_S = 10
MAX_BYTES = 1_000_000
_QUALITIES = (28, 36)  # x264's constant rate factor; the second one if the first makes too large a file
_BITS_PER_S = 400_000
_KEY_FRAMES = 2 * FRAMES_PER_S
_CPU_S = 60.0
_TICKS_PER_S = 1_000


def encode_film_clip(task: ClipTask) -> Iterator[Content]:
    """Yield the clip of a stretch of a film.

    Raises:
        Unreadable: no frame of the stretch can be decoded, or the clip would be too large.
    """
    with open_container(task.descriptor, task.format) as container:
        stream = video_of(container)
        if stream is None:
            raise Unreadable("a film without pictures")
        frames = list(_frames(container, stream, task.start_s, task.start_s + task.length_s))
    if not frames:
        raise Unreadable(f"no frame between {task.start_s:.1f} s and {task.start_s + task.length_s:.1f} s")
    for quality in _QUALITIES:
        data = _encoded(frames, quality)
        if len(data) <= MAX_BYTES:
            yield Content(data)
            return
    raise Unreadable(f"a clip of {len(data)} bytes: expected at most {MAX_BYTES}")


def _frames(
    container: InputContainer, stream: VideoStream, start_s: float, end_s: float
) -> Iterator[tuple[float, VideoFrame]]:
    """Yield at most ten frames a second between two times, scaled down, each with its time in seconds."""
    first_s = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    began, due_s, number = time.process_time(), start_s, 0
    rate = stream.average_rate or stream.guessed_rate
    if start_s > 1:
        _seek(container, first_s + start_s - 1)
    for frame in _decoded(container, stream):
        at_s = frame.time - first_s if frame.time is not None else number / float(rate or FRAMES_PER_S)
        number += 1
        if at_s > end_s or time.process_time() - began > _CPU_S:
            return
        if at_s < due_s or frame.is_corrupt:
            continue
        due_s = max(due_s + 1 / FRAMES_PER_S, at_s + 0.5 / FRAMES_PER_S)
        yield at_s, VideoFrame.from_ndarray(upright_pixels(frame, LONGEST_PX, even=True), format="rgb24")


def _seek(container: InputContainer, to_s: float) -> None:
    """Go to the key frame before a time; a film without an index is read from its beginning."""
    try:
        container.seek(round(to_s * av.time_base), backward=True)
    except av.error.FFmpegError:
        container.seek(0, any_frame=True)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue
        except av.error.FFmpegError:
            return


def _encoded(frames: list[tuple[float, VideoFrame]], quality: int) -> bytes:
    file = BytesIO()
    start_s, first = frames[0]
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("libx264", rate=FRAMES_PER_S)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        stream.codec_context.thread_count = 1
        stream.options = {
            "preset": "veryfast",
            "profile": "main",
            "crf": str(quality),
            "maxrate": str(_BITS_PER_S),
            "bufsize": str(_BITS_PER_S),
            "g": str(_KEY_FRAMES),
            "bf": "0",
            "threads": "1",
        }
        for at_s, frame in frames:
            if (frame.width, frame.height) != (first.width, first.height):
                continue  # a film whose size changes
            ready = frame.reformat(format="yuv420p")
            ready.pts, ready.time_base = round((at_s - start_s) * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()
