"""Inexpensive tests that run before the detectors, to skip pictures without motion and silent sound."""

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound
from edge.capture.clip import Clip

_SIDE_PX = 160  # width at which an animal's motion is still visible; a Raspberry Pi compares a frame in a millisecond
_QUIETEST_DB = -120.0


class MotionTrigger:
    """Detects motion by background subtraction, with a mixture of Gaussians for each pixel.

    Source: Zivkovic, Improved adaptive Gaussian mixture model for background subtraction, ICPR 2004 (OpenCV's MOG2).
    """

    def __init__(self, share: float = 0.005, history: int = 200) -> None:
        """Set the motion threshold and the number of background frames.

        Args:
            share: Fraction of the pixels that must change.
            history: Number of frames from which the background is learnt.
        """
        import cv2

        self._share = share
        self._model: cv2.BackgroundSubtractorMOG2 = cv2.createBackgroundSubtractorMOG2(history, 25, detectShadows=False)
        self._frames = 0

    def moved(self, pixels: NDArray[np.uint8]) -> bool:
        """Return whether a frame, (height, width, 3) uint8, shows motion; False for the first frame."""
        import cv2

        height, width = pixels.shape[:2]
        size = (_SIDE_PX, max(1, round(_SIDE_PX * height / width)))
        changed = self._model.apply(cv2.GaussianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), (5, 5), 0))
        self._frames += 1
        return self._frames > 1 and float(np.count_nonzero(changed)) / changed.size >= self._share


def loudness_db(sound: Sound) -> float:
    """Return a sound's root mean square in dB relative to full scale, at least -120."""
    if not sound.samples.size:
        return _QUIETEST_DB
    power = float(np.mean(np.square(sound.samples, dtype=np.float64)))
    return max(_QUIETEST_DB, 10 * float(np.log10(power))) if power > 0 else _QUIETEST_DB


class SilenceTrigger:
    """Trigger that skips sound below a level: silence, or the sound of a dead or covered microphone."""

    def __init__(self, floor_db: float = -80.0) -> None:
        """Set the level below which sound is skipped, in dB relative to full scale."""
        self._floor_db = floor_db

    def __call__(self, clip: Clip) -> bool:
        """Return whether to run the detectors on a capture; True for every picture."""
        if not isinstance(clip.content, Sound):
            return True
        return any(loudness_db(signal) >= self._floor_db for signal in clip.content.signals)
