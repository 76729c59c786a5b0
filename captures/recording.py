"""Opening of a recording by its content, and reading of its samples to the end of what the file holds."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captures.byte_range import read_at
from captures.decoded import Unreadable
from captures.file_kind import HEAD_BYTES, FileKind, file_kind
from captures.layout import Layout, read_layout
from captures.pcm import decode_samples

# From below any recorder in use to above the fastest bat detector; a rate outside means a wrong header.
RATES_HZ = (1_000, 1_000_000)
MOST_CHANNELS = 64
_BLOCK_S = 5.0  # length of one read: long enough for speed, short enough for a small machine's memory
_MOST_BLOCK_SAMPLES = 2_000_000  # of all channels: 8 MB decoded
_EXPECTED = "expected WAV, W64, AIFF, AU, CAF, FLAC, MP3, OGG, Opus, M4A or AAC"
_CHUNKED = ("WAV", "W64", "AIFF", "AU", "CAF")  # their header says where the samples are
_SKIP_BYTES = 1_048_576

Block = NDArray[np.float32]
"""Samples of all channels: (n, channels)."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The beginning of a recording's sound as it stands in the file, which identifies the recording.

    It is the samples of a WAV, W64, AIFF, AU or CAF file and the packets of another file: neither header, sizes nor
    metadata, before or after the sound.

    Attributes:
        size: Number of bytes.
        sha256: Their hash.
    """

    size: int
    sha256: str


class Recording(Protocol):
    """An open recording.

    Attributes:
        form: Name of its form, as ``FileKind.form``.
        rate_hz: Samples per second and channel.
        channels: Number of channels.
        frames: Samples per channel, for a compressed file as its header says; None: the header does not say.
        comment: Comment of the recorder; "": there is none.
        remarks: What is wrong with the file so far; all of it after the last block.
        complete: Whether the file states where its sound ends and the sound ends there; a recorder may still write to
            another.
    """

    form: str
    rate_hz: int
    channels: int
    frames: int | None
    comment: str
    remarks: list[str]
    complete: bool

    def blocks(self, skip_frames: int = 0) -> Iterator[Block]:
        """Yield all blocks, once, without so many frames at the beginning.

        Raises:
            Unreadable: the recording changes its rate or its channels.
            OSError: the file cannot be read.
        """
        ...

    @property
    def payload(self) -> Payload:
        """What ``blocks`` has read so far."""
        ...

    def begins_with(self, payload: Payload) -> bool:
        """Return whether the sound begins with these bytes; ``blocks`` yields nothing afterwards."""
        ...

    def close(self) -> None:
        """Free the decoder; the file stays open."""
        ...


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """Open a recording by its content, whatever its name is.

    Raises:
        Unreadable: the file is not a recording, or its header has impossible values.
        OSError: the file does not exist or cannot be read.
    """
    # Not blocking: on a named pipe, open() would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise Unreadable(f"{path.name}: 0 bytes: expected a recording")
        kind = file_kind(lambda at: read_at(descriptor, at, HEAD_BYTES))
        try:
            recording = _opened(descriptor, size, kind)
        except Unreadable as error:
            raise Unreadable(f"{path.name}: {error}") from error
        try:
            _check(recording, path.name)
            yield recording
        finally:
            recording.close()
    finally:
        os.close(descriptor)


def _opened(descriptor: int, size: int, kind: FileKind | None) -> Recording:
    if kind is None or kind.family not in ("recording", "film"):  # a film may have a sound track
        form = repr(read_at(descriptor, 0, 8)) if kind is None else kind.form
        raise Unreadable(f"starts with {form} ({size} bytes): {_EXPECTED}")
    from captures.packets import open_packets

    if kind.form not in _CHUNKED:
        return open_packets(descriptor, size, kind.form)
    layout = read_layout(kind.form, lambda at, most: read_at(descriptor, at, most), size)
    if layout.samples is None:
        return open_packets(descriptor, size, kind.form, layout)
    return PcmRecording(descriptor, layout)


def _check(recording: Recording, name: str) -> None:
    low, high = RATES_HZ
    if not low <= recording.rate_hz <= high:
        raise Unreadable(f"{name}: the header says {recording.rate_hz} Hz: expected {low} to {high}")
    if not 1 <= recording.channels <= MOST_CHANNELS:
        raise Unreadable(f"{name}: the header says {recording.channels} channels: expected 1 to {MOST_CHANNELS}")


def block_frames(rate_hz: int, channels: int) -> int:
    """Return the length of a block, in samples per channel."""
    return max(1, min(round(_BLOCK_S * rate_hz), _MOST_BLOCK_SAMPLES // max(1, channels)))


class PcmRecording:
    """Recording with uncompressed samples; see ``Recording``."""

    def __init__(self, descriptor: int, layout: Layout) -> None:
        """Read the samples that ``layout`` describes from an open file."""
        if layout.samples is None:
            raise ValueError("compressed samples: expected uncompressed ones")
        self._descriptor = descriptor
        self._layout = layout
        self._samples = layout.samples
        self._digest = hashlib.sha256()
        self._read = 0
        self._frame_bytes = max(1, layout.channels) * layout.samples.width
        self.form = layout.form
        self.rate_hz = layout.rate_hz
        self.channels = layout.channels
        self.frames: int | None = max(0, layout.end - layout.start) // self._frame_bytes
        self.comment = layout.comment
        self.remarks = [layout.remark] if layout.remark else []
        self.complete = layout.complete

    def blocks(self, skip_frames: int = 0) -> Iterator[Block]:
        """Yield all blocks, once, without so many frames at the beginning; an incomplete last frame is left out."""
        skipped = skip_frames * self._frame_bytes
        while self._read < skipped and self._next(min(_SKIP_BYTES, skipped - self._read)):
            pass
        size = block_frames(self.rate_hz, self.channels) * self._frame_bytes
        while data := self._next(size):
            whole = len(data) - len(data) % self._frame_bytes
            if whole:
                yield decode_samples(data[:whole], self._samples).reshape(-1, self.channels)

    @property
    def payload(self) -> Payload:
        """What ``blocks`` has read so far."""
        return Payload(self._read, self._digest.hexdigest())

    def begins_with(self, payload: Payload) -> bool:
        """Return whether the samples begin with these bytes; ``blocks`` yields nothing afterwards."""
        while self._read < payload.size and self._next(min(_SKIP_BYTES, payload.size - self._read)):
            pass
        return self.payload == payload

    def close(self) -> None:
        """Do nothing: there is no decoder."""

    def _next(self, size: int) -> bytes:
        at = self._layout.start + self._read
        data = read_at(self._descriptor, at, max(0, min(size, self._layout.end - at)))
        self._read += len(data)
        self._digest.update(data)
        return data
