"""Replaces artificial silence at the start of a recording, because its abrupt end resembles a gunshot."""

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ

_LONGEST = 2 * RATE_HZ  # longer silence is kept: a recorder with a trigger level writes zeros until a loud sound
_DIGITAL_SILENCE = 1e-5  # a third of the smallest 16-bit step: nothing was recorded
_BLOCK = RATE_HZ // 200  # 5 ms
_BLOCKS = 20  # recorders and encoders add at most 100 ms of near silence; a longer pause was really quiet
_REFERENCE = RATE_HZ  # the near silence is compared with the median level of this much sound
_QUIETER = 0.1  # 20 dB below that level


def pad_onset(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace artificial silence at the start with the mirrored sound after it; the length stays the same.

    Recorders deliver zeros until the microphone is ready, and MP3 encoders insert up to 50 ms of near silence before
    the first sound. Both end as abruptly as a gunshot begins.

    Args:
        samples: (n,) at 16 kHz.

    Returns:
        The same array if there is nothing to replace, otherwise a new one.
    """
    sounding = np.abs(samples) > _DIGITAL_SILENCE
    if not sounding.any():
        return samples
    start = int(np.argmax(sounding))
    if start > _LONGEST:
        return samples
    blocks = samples[start : start + _REFERENCE]
    blocks = blocks[: blocks.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    if blocks.size:
        loudness = np.sqrt(np.mean(blocks**2, axis=1))
        quiet = loudness[: _BLOCKS + 1] < _QUIETER * np.median(loudness)
        if not quiet.all():
            first_loud = int(np.argmin(quiet))
            start += (first_loud + 1) * _BLOCK if first_loud else 0  # the first loud block is partly silent
    if start == 0 or start >= samples.size:
        return samples
    filled = samples.copy()
    filled[:start] = np.pad(samples[start:], (start, 0), "reflect")[:start]
    return filled
