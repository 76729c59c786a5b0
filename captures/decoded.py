"""Pictures and sounds decoded into memory, as detectors take them."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from contract import Location
from contract.errors import InvalidInput


class Unreadable(InvalidInput):
    """A picture or recording that cannot be used; the message says why, and trying again will not help."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in memory, perhaps smaller than the original.

    Attributes:
        pixels: (height, width, 3) uint8, blue green red, upright (EXIF orientation applied).
        width: Of the original, in pixels, upright.
        height: Of the original, in pixels, upright.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of mono sound in memory.

    Attributes:
        samples: (n,) float32 in -1..1.
        rate_hz: Samples per second.
        taken_at: When its first sample was taken; None where nobody knows.
        location: Where, for priors of place and season; None where nobody knows.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    taken_at: datetime | None = None
    location: Location | None = None

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.samples.size / self.rate_hz
