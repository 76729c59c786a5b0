"""Cuts sound into the 3-second windows BirdNET listens to; where stretches meet, nothing is lost or heard twice."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound

RATE_HZ = 48_000
WINDOW_S = 3.0
WINDOW = int(RATE_HZ * WINDOW_S)
SHORTEST = WINDOW // 2  # a rest shorter than this is too little to judge: BirdNET-Analyzer's and birdnetlib's rule

Window = tuple[float, NDArray[np.float32]]
"""Its start in seconds, and (144000,) samples."""


class Windower:
    """Takes samples as they come, in pieces of any size, and gives windows as soon as they are full."""

    def __init__(self, overlap_s: float = 0.0) -> None:
        self._step = WINDOW - round(overlap_s * RATE_HZ)
        if not 0 < self._step <= WINDOW:
            raise ValueError(f"windows that overlap by {overlap_s} s: expected 0 or more and less than {WINDOW_S:g}")
        self._rest = np.empty(0, np.float32)
        self._start = 0  # of the rest, in samples since the beginning
        self._given = 0  # windows so far

    def push(self, samples: NDArray[np.float32]) -> Iterator[Window]:
        """Add what came next; yields the windows that are now full."""
        held = np.concatenate((self._rest, samples)) if self._rest.size else samples
        # The state is complete before each window is handed out, so that a caller may stop listening in between.
        full = range(0, held.size - WINDOW + 1, self._step)
        first = self._start
        at = len(full) * self._step
        self._rest = held[at:].copy()
        self._start += at
        self._given += len(full)
        for offset in full:
            yield (first + offset) / RATE_HZ, held[offset : offset + WINDOW]

    def finish(self) -> Iterator[Window]:
        """Give what is left, filled up with silence, if it is half a window or nothing else was heard."""
        fresh = self._rest.size - (WINDOW - self._step if self._given else 0)
        if self._rest.size and (not self._given or (self._rest.size >= SHORTEST and fresh > 0)):
            window = np.zeros(WINDOW, np.float32)
            window[: self._rest.size] = self._rest
            yield self._start / RATE_HZ, window
        self._rest, self._start, self._given = np.empty(0, np.float32), 0, 0


def windows_of(stretches: Iterable[Sound], overlap_s: float = 0.0) -> Iterator[Window]:
    """Cut stretches that follow each other, all at 48 kHz; no window is lost or heard twice between two of them."""
    windower = Windower(overlap_s)
    for stretch in stretches:
        if stretch.rate_hz != RATE_HZ:
            raise ValueError(f"a stretch at {stretch.rate_hz} Hz: expected {RATE_HZ}")
        yield from windower.push(stretch.samples)
    yield from windower.finish()
