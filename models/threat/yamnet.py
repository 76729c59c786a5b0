"""YAMNet: what Google's network for 521 everyday sounds says of two seconds of sound."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.threat.front_end import RATE_HZ

STEP = 1 / 256  # its scores are whole multiples of this, from 0 on
_FRAME, _HOP, _POINTS = 400, 160, 512
_BANDS = 64
_LOW_HZ, _HIGH_HZ = 125.0, 7_500.0
_SILENCE = 0.001  # added to the amplitude, so that silence has a logarithm
_PATCH = 96  # frames that it looks at: 0.96 s
_PATCHES = (0, 51, 102)  # the frames at which they begin: the first half of the window, its middle and its end


class YamNet:
    """YAMNet (Apache-2.0) in the form of google-coral: log-mel in, 521 scores out. For one thread at a time.

    Source: Ellis and Plakal, github.com/tensorflow/models, research/audioset/yamnet: features.py and params.py.
    """

    def __init__(self, weights: Path, threads: int = 1) -> None:
        """Open the network; 0 threads leave their number to the runtime."""
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(str(weights), num_threads=threads or None)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def scores(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score (32000,) samples at 16 kHz: (521,), of each class the highest score in any part of them."""
        return np.asarray(np.max([self._score(patch) for patch in patches(window)], axis=0), np.float32)

    def _score(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        self._network.set_tensor(self._input, patch[None])
        self._network.invoke()
        scores: Any = self._network.get_tensor(self._output)[0]
        return np.asarray(scores, np.float32)


def patches(window: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut what YAMNet looks at out of a window of (32000,) samples: three of (96, 64), log-mel, float32."""
    frames = np.lib.stride_tricks.sliding_window_view(window, _FRAME)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    amplitudes = np.abs(np.fft.rfft(frames * hann, _POINTS)) @ _mel_bands()
    bands = np.log(amplitudes + _SILENCE).astype(np.float32)
    return [bands[start : start + _PATCH] for start in _PATCHES]


@cache
def _mel_bands() -> NDArray[np.float64]:
    """Build the (257, 64) matrix that sums amplitudes into bands; mel of f Hz is 1127 ln(1 + f / 700)."""
    edges = np.linspace(1127 * np.log1p(_LOW_HZ / 700), 1127 * np.log1p(_HIGH_HZ / 700), _BANDS + 2)
    pitches = 1127 * np.log1p(np.fft.rfftfreq(_POINTS, 1 / RATE_HZ) / 700)[:, None]
    rising, falling = (pitches - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - pitches) / np.diff(edges)[1:]
    bands = np.maximum(0, np.minimum(rising, falling))
    bands[0] = 0
    return np.asarray(bands, np.float64)
