"""Combines the threat network's confidences of gunshots and chainsaws with the scores of the network YAMNet.

The two networks rarely make the same error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.threat.yamnet import STEP, YamNet

WEIGHTS = "yamnet"  # in the registry


@dataclass(frozen=True, slots=True)
class FusionRule:
    """Parameters for combining YAMNet's score with the threat network's confidence for one label.

    Attributes:
        classes: Indices of YAMNet's classes for this label; the highest of their scores is used.
        min_confidence: Confidence of the threat network from which YAMNet is run; below it, YAMNet's score counts as 0.
        max_gain: Maximum amplification of a window for YAMNet, which depends on loudness, unlike the threat network:
            gunshots on a quiet microphone should be detected too. For chainsaws the gain is 1, because YAMNet
            mistakes amplified rain and hiss for chainsaws.
        shift: Added to the sum of both log odds, because YAMNet's prior is that of all sounds, in which gunshots are
            rare.
        temperature: Divisor of the shifted sum, which calibrates the confidence.
        threshold: Default threshold of the combined confidence; models/weights/threat-sounds.md states its recall and
            false alarms.
    """

    classes: tuple[int, ...]
    min_confidence: float
    max_gain: float
    shift: float
    temperature: float
    threshold: float


# Shift and temperature were fitted on mixtures of the validation split, like the temperatures of the threat network.
FUSION_RULES: Mapping[str, FusionRule] = MappingProxyType(
    {
        # Gunshot, gunfire; Machine gun; Fusillade; Artillery fire
        "gunshot": FusionRule(
            (421, 422, 423, 424), min_confidence=0.5, max_gain=10, shift=4.34, temperature=1.86, threshold=0.98
        ),
        "chainsaw": FusionRule((341,), min_confidence=0.05, max_gain=1, shift=5.21, temperature=1.28, threshold=0.85),
    }
)


class SecondOpinion:
    """Runs YAMNet, and combines its scores with the threat network's confidences; not thread-safe."""

    def __init__(self, weights: Path, threads: int = 1) -> None:
        """Load YAMNet from its weights file, and run it with ``threads`` threads (0: the runtime's default)."""
        self._yamnet = YamNet(weights, threads)

    def fuse(
        self, confidences: NDArray[np.float32], windows: NDArray[np.float32], labels: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Combine the threat network's confidences of each window with YAMNet's scores.

        The odds of both networks are multiplied, on the assumption that their errors are independent.

        Args:
            confidences: (n, labels) confidences of the threat network.
            windows: (n, 32000) samples at 16 kHz, not amplified.
            labels: The labels of the columns.

        Returns:
            (n, labels) confidences; those of labels without a fusion rule are unchanged.
        """
        fused = confidences.copy()
        for label, rule in FUSION_RULES.items():
            own = confidences[:, labels.index(label)]
            other = np.zeros(len(own), np.float32)
            for row in np.flatnonzero(own >= rule.min_confidence):
                scores = self._yamnet.scores(amplify(windows[row], rule.max_gain))
                other[row] = scores[list(rule.classes)].max()
            fused[:, labels.index(label)] = fuse_confidences(own, other, rule)
        return fused


def amplify(window: NDArray[np.float32], max_gain: float) -> NDArray[np.float32]:
    """Amplify the samples of a window to full scale, but at most by the factor ``max_gain``."""
    peak = float(np.abs(window).max())
    return window * np.float32(min(max_gain, 1 / peak)) if 0 < peak < 1 else window


def fuse_confidences(own: NDArray[np.float32], other: NDArray[np.float32], rule: FusionRule) -> NDArray[np.float32]:
    """Return the combined confidence: sigmoid((log odds + YAMNet's log odds + shift) / temperature).

    Args:
        own: (n,) confidences of the threat network.
        other: (n,) scores of YAMNet.
        rule: The rule of the label.
    """
    odds = (_log_odds(own, 1e-7) + _log_odds(other, STEP / 2) + rule.shift) / rule.temperature
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def _log_odds(probability: NDArray[np.float32], lowest: float) -> NDArray[np.float64]:
    clipped = np.clip(probability.astype(np.float64), lowest, 1 - lowest)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)
