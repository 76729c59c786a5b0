"""Divides a long sound, which is read in consecutive parts, into BirdNET's 3-second windows."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound

RATE_HZ = 48_000
WINDOW_S = 3.0
WINDOW = int(RATE_HZ * WINDOW_S)
SHORTEST = WINDOW // 2  # a shorter remainder is dropped, as in BirdNET-Analyzer and birdnetlib

Window = tuple[float, NDArray[np.float32]]
"""The start of a window in seconds, and its (144000,) samples."""


class Windower:
    """A buffer that collects samples in pieces of any size and yields each 3-second window as soon as it is full."""

    def __init__(self, overlap_s: float = 0.0) -> None:
        self._step = WINDOW - round(overlap_s * RATE_HZ)
        if not 0 < self._step <= WINDOW:
            raise ValueError(f"window overlap of {overlap_s} s: expected 0 or more and less than {WINDOW_S:g} s")
        self._rest = np.empty(0, np.float32)
        self._start = 0  # start of the rest, in samples since the first sample
        self._yielded = 0  # number of windows

    def push(self, samples: NDArray[np.float32]) -> Iterator[Window]:
        """Append samples to the buffer, and yield the windows that are now full."""
        held = np.concatenate((self._rest, samples)) if self._rest.size else samples
        # The state is updated before the first yield, so that a caller may stop iterating at any window.
        full = range(0, held.size - WINDOW + 1, self._step)
        first = self._start
        at = len(full) * self._step
        self._rest = held[at:].copy()
        self._start += at
        self._yielded += len(full)
        for offset in full:
            yield (first + offset) / RATE_HZ, held[offset : offset + WINDOW]

    def copy(self) -> "Windower":
        """Return a buffer with the same content, for a further signal of the same sound."""
        same = Windower()
        same._step, same._rest, same._start, same._yielded = self._step, self._rest, self._start, self._yielded
        return same

    def finish(self) -> Iterator[Window]:
        """Yield the remaining samples as a last window, padded with silence.

        Less than half a window is dropped, unless there was no window before.
        """
        fresh = self._rest.size - (WINDOW - self._step if self._yielded else 0)
        if self._rest.size and (not self._yielded or (self._rest.size >= SHORTEST and fresh > 0)):
            window = np.zeros(WINDOW, np.float32)
            window[: self._rest.size] = self._rest
            yield self._start / RATE_HZ, window
        self._rest, self._start, self._yielded = np.empty(0, np.float32), 0, 0


def windows_of(stretches: Iterable[Sound], overlap_s: float = 0.0) -> Iterator[Window]:
    """Yield the 3-second windows of a sound that is given as consecutive parts at 48 kHz.

    A window may contain samples of two parts.
    """
    windower = Windower(overlap_s)
    for stretch in stretches:
        if stretch.rate_hz != RATE_HZ:
            raise ValueError(f"stretch at {stretch.rate_hz} Hz: expected {RATE_HZ} Hz")
        yield from windower.push(stretch.samples)
    yield from windower.finish()


def windows_of_signals(stretches: Iterable[Sound], overlap_s: float = 0.0) -> Iterator[Window]:
    """Yield the windows of all signals of a sound that is given as consecutive parts at 48 kHz.

    Windows of several signals at one time follow each other, and have the same start; a further signal that equals the
    first has no window.
    """
    first, others = Windower(overlap_s), list[Windower]()
    for stretch in stretches:
        while len(others) < len(stretch.more):
            others.append(first.copy())
        signals = [*stretch.more, *[stretch.samples] * (len(others) - len(stretch.more))]
        further = [windower.push(samples) for windower, samples in zip(others, signals, strict=True)]
        yield from _in_turn(first.push(stretch.samples), further)
    yield from _in_turn(first.finish(), [windower.finish() for windower in others])


def _in_turn(first: Iterator[Window], further: Sequence[Iterator[Window]]) -> Iterator[Window]:
    for window, *rest in zip(first, *further, strict=True):
        yield window
        for other in rest:
            if not np.array_equal(other[1], window[1]):
                yield other
