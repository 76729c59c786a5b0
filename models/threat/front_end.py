"""Log-mel spectrograms: the input of the threat network."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW_S = 2.0  # long enough for a gunshot with its echo, and to distinguish a chainsaw from a motorcycle
BANDS = 64
FRAMES = 198  # frames of 25 ms, every 10 ms, in one window
_FRAME, _HOP, _POINTS = 400, 160, 512
_LOW_HZ, _HIGH_HZ = 60.0, 7_800.0
_SILENCE = 1e-6  # added to the power, so that the logarithm of silence is finite


def log_mel(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute log-mel spectrograms, each normalised to mean 0 and standard deviation 1, independent of loudness.

    Args:
        windows: (n, 32000) samples at 16 kHz.

    Returns:
        (n, 1, 64, 198) float32. Frames of 25 ms with a Hann window, every 10 ms; 64 triangular bands, equally spaced on
        the mel scale from 60 to 7800 Hz. A standard deviation below 0.1 counts as 0.1.

    Raises:
        ValueError: the windows have another length.
    """
    length = round(RATE_HZ * WINDOW_S)
    if windows.ndim != 2 or windows.shape[1] != length:
        raise ValueError(f"windows of shape {windows.shape}: expected (n, {length})")
    frames = np.lib.stride_tricks.sliding_window_view(windows, _FRAME, axis=1)[:, ::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), _POINTS, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    bands = np.log(power @ mel_bands() + _SILENCE).transpose(0, 2, 1)
    mean, deviation = bands.mean((1, 2), keepdims=True), bands.std((1, 2), keepdims=True)
    spectrograms: NDArray[np.float32] = ((bands - mean) / np.maximum(deviation, 0.1))[:, None].astype(np.float32)
    return spectrograms


@cache
def mel_bands() -> NDArray[np.float32]:
    """Return the (257, 64) matrix of the mel filter bank, for a power spectrum.

    The mel value of f Hz is 2595 log10(1 + f / 700).
    Source: O'Shaughnessy 1987, "Speech Communication".
    """
    edges_mel = np.linspace(2595 * np.log10(1 + _LOW_HZ / 700), 2595 * np.log10(1 + _HIGH_HZ / 700), BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    frequencies_hz = np.fft.rfftfreq(_POINTS, 1 / RATE_HZ)[:, None]
    low, middle, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising, falling = (frequencies_hz - low) / (middle - low), (high - frequencies_hz) / (high - middle)
    bands: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return bands
