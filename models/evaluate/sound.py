"""Judges a threat-sound network: what it hears of what is there, and how often it cries wolf in a day."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.sound import read_stretches
from models.evaluate.labels import BadLabels
from models.threat import MEANINGS, THRESHOLDS, ThreatSounds

QUIET = ("none", "blank", "empty", "background")  # folders of recordings without any threat
_SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}
_DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording and the threats in it.

    Attributes:
        path: Of the file.
        labels: The threats in it.
        unsure: The threats of which nobody knows whether they are in it; it counts neither for nor against them.
    """

    path: Path
    labels: frozenset[str]
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LabelScores:
    """What the network made of one recording.

    Attributes:
        recording: Which.
        confidences: (windows, labels), one window begun each second.
        duration_s: How long it lasts.
    """

    recording: Recording
    confidences: NDArray[np.float32]
    duration_s: float


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How good it is on one label, at one threshold.

    Attributes:
        label: Which.
        threshold: At which.
        clips: Recordings that hold it.
        recalled: Of those, the ones in which it was heard.
        hours: Of recordings that do not hold it.
        alarms: Detections in those: windows that follow each other are one.
        per_day: False alarms in 24 hours.
        per_day_at_most: Its upper bound at 95 % confidence.
    """

    label: str
    threshold: float
    clips: int
    recalled: int
    hours: float
    alarms: int
    per_day: float
    per_day_at_most: float


def read_recordings(root: Path) -> list[Recording]:
    """Read a folder with one subfolder a label; ``none`` holds recordings without any threat.

    Raises:
        BadLabels: a folder's name is no label, or there is no recording.
    """
    found = list(_recordings(root)) if root.is_dir() else []
    if not found:
        raise BadLabels(f"{root}: expected folders {', '.join(MEANINGS)} or none, with recordings in them")
    return found


def listen(
    detector: ThreatSounds, recordings: Sequence[Recording], done: Callable[[int], None] | None = None
) -> tuple[list[LabelScores], list[tuple[Path, str]]]:
    """Listen to every recording.

    Returns:
        What was heard, and the files that could not be used, with the reason.
    """
    heard, unusable = [], []
    for number, recording in enumerate(recordings, 1):
        try:
            prepared = [detector.preprocess(stretch) for stretch in read_stretches(recording.path)]
            confidences = np.concatenate([detector.confidences(one) for one in prepared])
            heard.append(LabelScores(recording, confidences, sum(one.duration_s for one in prepared)))
        except (Unreadable, OSError) as error:
            unusable.append((recording.path, str(error)))
        if done is not None:
            done(number)
    return heard, unusable


def figures(heard: Sequence[LabelScores], thresholds: Mapping[str, float] | None = None) -> list[LabelFigures]:
    """Work out the figures of each label that some recording holds, at the thresholds in use."""
    limits = {**THRESHOLDS, **(thresholds or {})}
    return [
        _figures(heard, at, label, limits[label])
        for at, label in enumerate(MEANINGS)
        if any(label in one.recording.labels for one in heard) or any(not one.recording.labels for one in heard)
    ]


def threshold_for_alarms(heard: Sequence[LabelScores], label: str, per_day: float) -> float:
    """Find the lowest threshold with at most so many false alarms of a label in a day of such recordings."""
    at = list(MEANINGS).index(label)
    others = [one for one in heard if label not in one.recording.labels | one.recording.unsure]
    candidates = np.unique(np.concatenate([one.confidences[:, at] for one in others])) if others else np.zeros(0)
    low, high = 0, candidates.size  # the number of alarms never grows with the threshold by more than runs split
    while low < high:
        middle = (low + high) // 2
        limit = float(np.nextafter(candidates[middle], 2))
        if _figures(others, at, label, limit).per_day <= per_day:
            high = middle
        else:
            low = middle + 1
    return 0.0 if not candidates.size else float(np.nextafter(candidates[min(low, candidates.size - 1)], 2))


def _figures(heard: Sequence[LabelScores], at: int, label: str, threshold: float) -> LabelFigures:
    holding = [one for one in heard if label in one.recording.labels]
    others = [one for one in heard if label not in one.recording.labels | one.recording.unsure]
    alarms = sum(_runs(one.confidences[:, at] >= threshold) for one in others)
    hours = sum(one.duration_s for one in others) / 3600
    recalled = sum(bool((one.confidences[:, at] >= threshold).any()) for one in holding)
    per_day, most = (alarms * _DAY_H / hours, at_most(alarms) * _DAY_H / hours) if hours else (np.nan, np.nan)
    return LabelFigures(label, threshold, len(holding), recalled, hours, alarms, per_day, most)


def at_most(count: int, confidence: float = 0.95) -> float:
    """Bound the mean of a Poisson count from above: the mean at which so few would come in 1 of 20 cases.

    Source: Garwood 1936, "Fiducial limits for the Poisson distribution"; for a count of 0 it is 3.0, the rule of three.
    Solved by bisection.
    """
    low, high = float(count), count + 10 + 5 * (count + 1) ** 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _poisson_below(count, middle) > 1 - confidence else (low, middle)
    return float((low + high) / 2)


def _poisson_below(count: int, mean: float) -> float:
    """The probability of at most ``count`` where ``mean`` are expected."""
    logs = np.arange(count + 1) * np.log(mean) - np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    return float(np.exp(logs - mean).sum())


def _runs(above: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(np.diff(np.concatenate(([False], above)).astype(np.int8)) == 1))


def _recordings(root: Path) -> Iterator[Recording]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name not in MEANINGS and folder.name not in QUIET:
            raise BadLabels(f"{folder}: expected one of {', '.join(MEANINGS)}, or none")
        labels = frozenset([folder.name]) if folder.name in MEANINGS else frozenset()
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SOUNDS:
                yield Recording(path, labels)
