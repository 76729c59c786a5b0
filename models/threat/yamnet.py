"""Runs YAMNet, Google's classifier of 521 classes of everyday sounds, on windows of 2 s."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ

STEP = 1 / 256  # resolution of the quantised scores
_FRAME, _HOP, _POINTS = 400, 160, 512
_BANDS = 64
_LOW_HZ, _HIGH_HZ = 125.0, 7_500.0
_SILENCE = 0.001  # added to the amplitude, so that the logarithm of silence is finite
_PATCH = 96  # frames per network input: 0.96 s
_PATCHES = (0, 51, 102)  # first frames of the patches at the start, in the middle and at the end of the window


class YamNet:
    """The sound classifier YAMNet (Apache-2.0), which scores 521 classes from log-mel patches; not thread-safe.

    The weights are those that google-coral published.

    Source: Ellis and Plakal, github.com/tensorflow/models, research/audioset/yamnet: features.py and params.py.
    """

    def __init__(self, weights: Path, threads: int = 1) -> None:
        """Load YAMNet from its weights file, and run it with ``threads`` threads (0: the runtime's default)."""
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(str(weights), num_threads=threads or None)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def scores(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores (521,) of YAMNet's classes for a window of 2 s.

        The window is (32000,) samples at 16 kHz. A score is the highest score of the class in all patches.
        """
        return np.asarray(np.max([self._score(patch) for patch in patches(window)], axis=0), np.float32)

    def _score(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        self._network.set_tensor(self._input, patch[None])
        self._network.invoke()
        scores: Any = self._network.get_tensor(self._output)[0]
        return np.asarray(scores, np.float32)


def patches(window: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return YAMNet's three inputs for a window of (32000,) samples: log-mel patches of (96, 64), float32."""
    frames = np.lib.stride_tricks.sliding_window_view(window, _FRAME)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    amplitudes = np.abs(np.fft.rfft(frames * hann, _POINTS)) @ _mel_bands()
    bands = np.log(amplitudes + _SILENCE).astype(np.float32)
    return [bands[start : start + _PATCH] for start in _PATCHES]


@cache
def _mel_bands() -> NDArray[np.float64]:
    """Return YAMNet's mel filter bank for an amplitude spectrum, as a matrix (257 frequencies, 64 bands).

    The mel value of f Hz is 1127 ln(1 + f / 700).
    """
    edges = np.linspace(1127 * np.log1p(_LOW_HZ / 700), 1127 * np.log1p(_HIGH_HZ / 700), _BANDS + 2)
    mels = 1127 * np.log1p(np.fft.rfftfreq(_POINTS, 1 / RATE_HZ) / 700)[:, None]
    rising, falling = (mels - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - mels) / np.diff(edges)[1:]
    bands = np.maximum(0, np.minimum(rising, falling))
    bands[0] = 0
    return np.asarray(bands, np.float64)
