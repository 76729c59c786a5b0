"""Types for decoded pictures and sounds in memory, which are the input of detectors."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from contract import Location
from contract.errors import InvalidInput


class Unreadable(InvalidInput):
    """Raised when a picture or recording cannot be decoded; the message gives the reason. Retrying cannot help."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, possibly scaled down.

    Attributes:
        pixels: (height, width, 3) uint8, BGR, with EXIF orientation applied.
        width: Width of the original in pixels, with EXIF orientation applied.
        height: Height of the original in pixels, with EXIF orientation applied.
        damage: How the file is damaged, so that a part of the pixels may be missing or wrong; "" if it is whole.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded stretch of a recording.

    Attributes:
        samples: (n,) float32 in -1..1: the mean of the channels that agree.
        rate_hz: Samples per second.
        taken_at: Time of the first sample; None: unknown.
        location: Position of the recorder, for location and season priors; None: unknown.
        more: Further signals, (n,) float32 each: of channels that differ, which detectors hear separately.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    taken_at: datetime | None = None
    location: Location | None = None
    more: tuple[NDArray[np.float32], ...] = ()

    @property
    def signals(self) -> "tuple[Sound, ...]":
        """The sound as one sound for each signal."""
        return tuple(
            Sound(samples, self.rate_hz, self.taken_at, self.location) for samples in (self.samples, *self.more)
        )

    @property
    def duration_s(self) -> float:
        """Duration of the sound in seconds."""
        return self.samples.size / self.rate_hz
