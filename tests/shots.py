"""A real shot, and the quiet around it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound
from captures.sound import read_stretches


def shot_of(shared_data: Path) -> Sound:
    """Read one shot, at 16 kHz."""
    (sound,) = read_stretches(shared_data / "samples" / "recordings" / "gunshot_149177-6-0-0.flac", 16_000)
    return sound


def quiet(seconds: float, rate_hz: int = 16_000) -> NDArray[np.float32]:
    """Make a little noise, always the same."""
    return np.random.default_rng(0).normal(0, 0.003, round(seconds * rate_hz)).astype(np.float32)
