"""Opening of films and compressed sound with FFmpeg's libraries, limited to the formats and codecs of cameras."""

import contextlib
import os
from collections.abc import Iterator

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from captures.decoded import Unreadable

MAX_PIXELS = 36_000_000  # 8192 x 4320, the largest frame of H.264 and H.265 at level 6.2
_MAX_STREAMS = 32
_DAY_S = 86_400
_VIDEO = "mjpeg,h264,hevc,mpeg4,h263,msmpeg4,msmpeg4v1,msmpeg4v2,mpeg1video,mpeg2video,vp8,vp9,av1,libdav1d,rawvideo"
_SOUND = (
    "aac,mp3,mp3float,mp2,mp2float,opus,vorbis,flac,alac,ac3,pcm_s16le,pcm_s16be,pcm_u8,pcm_s8,pcm_s24le,pcm_s24be,"
    "pcm_s32le,pcm_f32le,pcm_mulaw,pcm_alaw,adpcm_ima_wav,adpcm_ms,adpcm_ima_qt,amrnb,amrwb"
)
_LIMITS = {
    "protocol_whitelist": "file",  # no film makes us open another file or an address
    "codec_whitelist": f"{_VIDEO},{_SOUND}",
    "max_streams": str(_MAX_STREAMS),
    "max_pixels": str(MAX_PIXELS),
    "probesize": "5000000",
    "analyzeduration": "5000000",  # microseconds
    "threads": "1",  # the process may start none
}
_TIMEOUT_S = 10.0  # to open a file and until its next packet; a demuxer may look for one in gigabytes of zeros
_MAX_BOXES = 1_000
_MAX_TAGS, _MAX_TAG_CHARACTERS = 60, 300


@contextlib.contextmanager
def open_container(descriptor: int, demuxer: str) -> Iterator[InputContainer]:
    """Open a film or recording by the demuxer of its signature, from an open file.

    Raises:
        Unreadable: it is cut off, damaged, or none of this form.
    """
    try:
        container = av.open(
            f"file:/dev/fd/{descriptor}",
            format=demuxer,
            options=dict(_LIMITS),
            metadata_errors="replace",
            timeout=(_TIMEOUT_S, _TIMEOUT_S),
        )
    except av.error.FFmpegError as error:
        raise Unreadable(
            f"cannot be opened as {demuxer}: {_missing_index(descriptor, demuxer) or describe(error)}"
        ) from error
    with container:
        yield container


def describe(error: Exception) -> str:
    """Return the message of an FFmpeg error, without the path of the file."""
    if isinstance(error, av.error.ExitError):
        return f"no part of a film was found in {_TIMEOUT_S:.0f} s of reading"
    return getattr(error, "strerror", None) or str(error)


def missing_end(descriptor: int, demuxer: str) -> str:
    """Return a reason if an AVI file is shorter than its first header says; "" if it is complete or another form."""
    size = os.fstat(descriptor).st_size
    declared = int.from_bytes(os.pread(descriptor, 4, 4), "little") + 8
    # A header of 0 or 4 GB was never completed; sizes are even, with a byte that may be missing.
    if demuxer != "avi" or declared <= size + 1 or declared >= 0xFFFF_0000:
        return ""
    return f"the file is cut off: it has {size} of {declared} bytes"


def _missing_index(descriptor: int, demuxer: str) -> str:
    """Return a reason if an MP4 or MOV file has no ``moov`` box among its first boxes (ISO/IEC 14496-12, 4.2)."""
    if demuxer != "mov":
        return ""
    at = 0
    for _ in range(_MAX_BOXES):
        head = os.pread(descriptor, 16, at)
        if len(head) < 8:
            return "its index (moov) is missing: the camera lost power before it wrote it, or the file is cut off"
        size = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if head[4:8] == b"moov" or size < 8:
            return ""
        at += size
    return ""


def video_of(container: InputContainer) -> VideoStream | None:
    """Return the largest track of pictures in a known codec; a cover picture is smaller than the film."""
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    return max(known, key=lambda one: one.codec_context.width * one.codec_context.height, default=None)


def sound_of(container: InputContainer) -> AudioStream | None:
    """Return the first track of sound in a known codec."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def tags_of(container: InputContainer) -> dict[str, str]:
    """Return the tags of a container and of its tracks; a tag of the container takes precedence."""
    found: dict[str, str] = {}
    for source in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in source.items():
            if len(found) < _MAX_TAGS and len(key) <= _MAX_TAG_CHARACTERS:
                found.setdefault(key.lower(), value[:_MAX_TAG_CHARACTERS])
    return found


def plausible_seconds(value: float | None) -> float:
    """Return a declared time or duration in seconds; 0 if it is missing, negative, no number or above a day."""
    return float(value) if value is not None and 0 <= value <= _DAY_S else 0.0


def upright_pixels(frame: VideoFrame, longest_px: int, even: bool = False) -> NDArray[np.uint8]:
    """Return a frame as (height, width, 3) uint8, RGB, scaled down and turned as the film says.

    Args:
        frame: The frame.
        longest_px: Length of the longest side; a smaller frame is not enlarged.
        even: Whether both sides are to be even, as H.264 needs them.
    """
    scale, unit = min(1.0, longest_px / max(frame.width, frame.height)), 2 if even else 1
    width, height = (max(unit, unit * round(side * scale / unit)) for side in (frame.width, frame.height))
    pixels = frame.reformat(width, height, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4), np.uint8)  # counterclockwise
