"""Source of sound from a microphone; recording continues in the background while detectors run."""

import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from captures.clock import system_clock
from captures.decoded import Sound
from contract import Location
from edge.capture.clip import Clip
from edge.capture.originals import OriginalsPolicy
from edge.capture.port import SourceLost

Blocks: TypeAlias = "queue.Queue[tuple[NDArray[np.float32], bool]]"  # samples, and whether any were lost before

_QUEUED_BLOCKS = 64  # with 1 s blocks: a minute of sound is buffered while a detector is busy
_DEAF_AFTER_S = 10.0


class MicrophoneOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a microphone source.

    Attributes:
        device: Number or part of the name, as `python -m sounddevice` lists it; empty: the system's default.
        rate_hz: Samples per second; BirdNET uses frequencies up to half of 48,000.
        stretch_s: Length of one stretch, in seconds.
        originals: Store a lossless recording of stretches with detections ("found"), of "all" stretches that are
            analysed, or of "none"; never of a stretch whose clip the voice policy withholds.
    """

    device: str = ""
    rate_hz: int = 48_000
    stretch_s: float = 15.0
    originals: OriginalsPolicy = "found"


def input_devices() -> list[str]:
    """Return the names of the microphones that PortAudio lists."""
    try:
        import sounddevice
    except OSError:
        return []
    return [str(device["name"]) for device in sounddevice.query_devices() if device["max_input_channels"] > 0]


class MicrophoneSource:
    """Source of sound that PortAudio records from a microphone (on Linux by ALSA); implements ``Source``."""

    def __init__(
        self,
        options: MicrophoneOptions,
        location: Location | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Store the options; ``captures`` opens the microphone."""
        self._options = options
        self._location = location
        self._now = now

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip]:
        """Yield stretches of sound as ``Source.captures`` specifies; with ``once``, yield only one stretch."""
        try:
            import sounddevice
        except OSError as error:
            raise SourceLost(
                "deaf", f"PortAudio is not installed (Debian: apt-get install libportaudio2): {error}"
            ) from error
        blocks: Blocks = queue.Queue(_QUEUED_BLOCKS)

        def keep(samples: Any, frames: int, time: Any, status: Any) -> None:
            try:
                blocks.put_nowait((samples[:, 0].copy(), bool(status.input_overflow)))
            except queue.Full:  # the reader raises SourceLost at the next block
                lost.set()

        lost = threading.Event()
        name = self._options.device
        device: int | str | None = int(name) if name.isdigit() else name or None
        try:
            with sounddevice.InputStream(
                samplerate=self._options.rate_hz,
                device=device,
                channels=1,
                dtype="float32",
                blocksize=self._options.rate_hz,
                callback=keep,
            ):
                yield from self._stretches(blocks, lost, stop, once)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SourceLost("deaf", f"microphone {self._options.device or 'default'}: {error}") from error

    def _stretches(
        self,
        blocks: Blocks,
        lost: threading.Event,
        stop: threading.Event,
        once: bool,
    ) -> Iterator[Clip]:
        length = round(self._options.stretch_s * self._options.rate_hz)
        parts: list[NDArray[np.float32]] = []
        while not stop.is_set():
            try:
                samples, overflowed = blocks.get(timeout=_DEAF_AFTER_S)
            except queue.Empty:
                raise SourceLost("deaf", f"no sound from the microphone for {_DEAF_AFTER_S} s") from None
            if overflowed or lost.is_set():
                lost.clear()
                parts.clear()
                raise SourceLost("deaf", "sound was lost: the detectors are slower than the microphone")
            parts.append(samples)
            if sum(part.size for part in parts) >= length:
                sound = np.concatenate(parts)
                parts.clear()
                ended = self._now()
                start = ended - timedelta(seconds=sound.size / self._options.rate_hz)
                stretch = Sound(sound, self._options.rate_hz, start, self._location)
                yield Clip(stretch, start, system_clock(ended), f"{start:%Y%m%dT%H%M%SZ}.wav")
                if once:
                    return
