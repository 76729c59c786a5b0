"""Asks a second network about what sounds like a shot or a saw: two that err differently seldom err together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.threat.yamnet import STEP, YamNet

WEIGHTS = "yamnet"  # in the registry


@dataclass(frozen=True, slots=True)
class Question:
    """What YAMNet is asked about one label, and how its answer counts.

    Attributes:
        classes: Of YAMNet's, by number; the highest of their scores is its answer.
        asked_from: Our own confidence from which it is asked. Below, it counts as if it had heard nothing.
        louder: How many times louder a window may be made for YAMNet, which unlike our network minds loudness: a quiet
            microphone should hear shots too. Rain and hiss made loud are like saws to it.
        shift: Added to the sum of both log odds: YAMNet's are those of all sounds there are, in which shots are rare.
        temperature: By which that is divided, so that a confidence is the share that is right.
        threshold: At which the two together were measured; models/weights/threat-sounds.md says what it costs.
    """

    classes: tuple[int, ...]
    asked_from: float
    louder: float
    shift: float
    temperature: float
    threshold: float


# Shift and temperature were fitted on mixtures of the validation split, as our network's own temperatures were.
QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        # Gunshot, gunfire; Machine gun; Fusillade; Artillery fire
        "gunshot": Question(
            (421, 422, 423, 424), asked_from=0.5, louder=10, shift=4.34, temperature=1.86, threshold=0.98
        ),
        "chainsaw": Question((341,), asked_from=0.05, louder=1, shift=5.21, temperature=1.28, threshold=0.85),
    }
)


class SecondOpinion:
    """YAMNet's word on the windows in which our own network hears something. For one thread at a time."""

    def __init__(self, weights: Path, threads: int = 1) -> None:
        """Open YAMNet; 0 threads leave their number to the runtime."""
        self._yamnet = YamNet(weights, threads)

    def join(
        self, confidences: NDArray[np.float32], windows: NDArray[np.float32], labels: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Multiply the odds that the two networks give, as for two witnesses who do not know of each other.

        Args:
            confidences: (n, labels) of our own network.
            windows: (n, 32000) samples at 16 kHz, as heard.
            labels: What the columns are called.

        Returns:
            (n, labels) confidences; those of labels about which nobody is asked are as they were.
        """
        joined = confidences.copy()
        for label, question in QUESTIONS.items():
            own = confidences[:, labels.index(label)]
            answers = np.zeros(len(own), np.float32)
            for row in np.flatnonzero(own >= question.asked_from):
                scores = self._yamnet.scores(louder(windows[row], question.louder))
                answers[row] = scores[list(question.classes)].max()
            joined[:, labels.index(label)] = together(own, answers, question)
        return joined


def louder(window: NDArray[np.float32], most: float) -> NDArray[np.float32]:
    """Bring a window to full scale, but make it at most so many times louder."""
    peak = float(np.abs(window).max())
    return window * np.float32(min(most, 1 / peak)) if 0 < peak < 1 else window


def together(confidences: NDArray[np.float32], answers: NDArray[np.float32], question: Question) -> NDArray[np.float32]:
    """Give the confidence of both: the sum of their log odds, shifted and divided by the temperature."""
    odds = (_log_odds(confidences, 1e-7) + _log_odds(answers, STEP / 2) + question.shift) / question.temperature
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def _log_odds(share: NDArray[np.float32], least: float) -> NDArray[np.float64]:
    within = np.clip(share.astype(np.float64), least, 1 - least)
    return np.asarray(np.log(within / (1 - within)), np.float64)
