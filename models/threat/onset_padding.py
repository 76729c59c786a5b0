"""Takes the silence out of a recording's first moment: when the sound then sets in, it is no shot."""

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ

_LONGEST = 2 * RATE_HZ  # a recorder with a threshold writes zeros until something is loud: that is real
_DIGITAL_SILENCE = 1e-5  # a third of the smallest step of 16 bits: nothing was recorded yet
_BLOCK = RATE_HZ // 200  # 5 ms
_BLOCKS = 20  # at most 100 ms are a recorder's or an encoder's doing; a longer pause was really quiet
_AFTERWARDS = RATE_HZ  # compared with this much of what follows
_QUIETER = 0.1  # 20 dB


def pad_onset(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill what was not yet recorded at the beginning with what follows it, mirrored; times stay as they are.

    Recorders deliver zeros until the microphone has settled, and encoders (MP3) put up to 50 ms of near silence before
    the first sound. Both end as suddenly as a shot begins.

    Args:
        samples: (n,) at 16 kHz.

    Returns:
        The same array where there is nothing to fill, else a new one.
    """
    sounding = np.abs(samples) > _DIGITAL_SILENCE
    if not sounding.any():
        return samples
    start = int(np.argmax(sounding))
    if start > _LONGEST:
        return samples
    blocks = samples[start : start + _AFTERWARDS]
    blocks = blocks[: blocks.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    if blocks.size:
        loudness = np.sqrt(np.mean(blocks**2, axis=1))
        quiet = loudness[: _BLOCKS + 1] < _QUIETER * np.median(loudness)
        if not quiet.all():
            rising = int(np.argmin(quiet))
            start += (rising + 1) * _BLOCK if rising else 0  # the block in which it rises is half silent
    if start == 0 or start >= samples.size:
        return samples
    filled = samples.copy()
    filled[:start] = np.pad(samples[start:], (start, 0), "reflect")[:start]
    return filled
