"""A microphone, heard without gaps: what is being listened to never holds up what is being recorded."""

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
from edge.capture.originals import Kept
from edge.capture.port import SourceLost

Blocks: TypeAlias = "queue.Queue[tuple[NDArray[np.float32], bool]]"  # samples, and whether some were lost before

_WAITING = 64  # blocks of sound in memory: with 1 s blocks a minute of hearing while a detector is busy
_DEAF_AFTER_S = 10.0


class MicrophoneOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which microphone, and in what pieces.

    Attributes:
        device: As `python -m sounddevice` lists it: a number or a part of the name; empty: the system's default.
        rate_hz: Samples per second; BirdNET hears up to half of 48,000.
        stretch_s: How long one piece is.
        originals: Keep the recording itself, without loss, of stretches in which something was "found", of "all" that
            is listened to, or of "none"; never of one whose clip the voice policy holds back.
    """

    device: str = ""
    rate_hz: int = 48_000
    stretch_s: float = 15.0
    originals: Kept = "found"


def input_devices() -> list[str]:
    """Name the microphones that PortAudio knows of."""
    try:
        import sounddevice
    except OSError:
        return []
    return [str(device["name"]) for device in sounddevice.query_devices() if device["max_input_channels"] > 0]


class MicrophoneSource:
    """Records through PortAudio, on Linux from ALSA. See ``Source`` for the contract."""

    def __init__(
        self,
        options: MicrophoneOptions,
        location: Location | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Name the microphone; it is opened when captures are asked for."""
        self._options = options
        self._location = location
        self._now = now

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip]:
        """See ``Source.captures``; with ``once`` a single stretch."""
        try:
            import sounddevice
        except OSError as error:
            raise SourceLost(
                "deaf", f"PortAudio is not installed (Debian: apt-get install libportaudio2): {error}"
            ) from error
        blocks: Blocks = queue.Queue(_WAITING)

        def keep(samples: Any, frames: int, time: Any, status: Any) -> None:
            try:
                blocks.put_nowait((samples[:, 0].copy(), bool(status.input_overflow)))
            except queue.Full:  # told by the next block that finds room: it says that sound is missing before it
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
        wanted = round(self._options.stretch_s * self._options.rate_hz)
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
            if sum(part.size for part in parts) >= wanted:
                sound = np.concatenate(parts)
                parts.clear()
                ended = self._now()
                began = ended - timedelta(seconds=sound.size / self._options.rate_hz)
                heard = Sound(sound, self._options.rate_hz, began, self._location)
                yield Clip(heard, began, system_clock(ended), f"{began:%Y%m%dT%H%M%SZ}.wav")
                if once:
                    return
