"""Decoding of a film's sound track, and of recordings compressed with AAC and the like, in blocks of all channels."""

from collections.abc import Iterator

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from captures.decoded import Unreadable
from captures.decoding.container import describe, open_container, sound_of
from captures.decoding.messages import SoundBlock, SoundTask

_BLOCK_BYTES = 1_000_000
_MOST_CHANNELS = 64
_MOST_ERRORS = 50


def decode_sound(task: SoundTask) -> Iterator[SoundBlock]:
    """Yield the sound of a file; the memory used does not depend on its length.

    Raises:
        Unreadable: it has no sound track, or breaks off; the blocks before the break have been yielded.
    """
    with open_container(task.descriptor, task.format) as container:
        stream = sound_of(container)
        if stream is None:
            raise Unreadable("there is no sound track in it that can be decoded")
        parts: list[bytes] = []
        rate_hz = channels = size = 0
        for frame in _floats(container, stream):
            samples = frame.to_ndarray()  # interleaved: (1, samples * channels)
            found = len(frame.layout.channels)
            if not 1 <= found <= _MOST_CHANNELS:
                raise Unreadable(f"a sound track of {found} channels: expected at most {_MOST_CHANNELS}")
            if rate_hz and (frame.sample_rate, found) != (rate_hz, channels):
                raise Unreadable(f"a sound track that changes from {rate_hz} Hz, {channels} channels")
            rate_hz, channels = frame.sample_rate, found
            parts.append(np.ascontiguousarray(samples, np.float32).tobytes())
            size += len(parts[-1])
            if size >= _BLOCK_BYTES:
                yield SoundBlock(rate_hz, channels, b"".join(parts))
                parts, size = [], 0
        if parts:
            yield SoundBlock(rate_hz, channels, b"".join(parts))


def _floats(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Yield the decoded frames as interleaved float32 at their own rate and channels."""
    resampler = AudioResampler(format="flt")
    packets, errors = container.demux(stream), 0
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            for frame in packet.decode():
                yield from resampler.resample(frame)
            errors = 0
        except av.error.InvalidDataError as error:
            errors += 1
            if errors > _MOST_ERRORS:
                raise Unreadable(f"its sound breaks off: {describe(error)}") from error
        except av.error.FFmpegError as error:
            raise Unreadable(f"its sound breaks off: {describe(error)}") from error
