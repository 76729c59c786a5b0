"""Evaluation of a threat-sound detector: recall of each label, and false alarms per day."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.sound import read_stretches
from models.evaluate.labels import BadLabels
from models.threat import MEANINGS, THRESHOLDS, ThreatSounds

NO_THREAT = ("none", "blank", "empty", "background")  # names of folders with recordings without any threat
_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
_DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording for the evaluation, with the labels of the threats in it.

    Attributes:
        path: Path of the file.
        labels: The threats in it.
        unsure: Threats that may or may not be in it; the recording is not counted for these labels.
    """

    path: Path
    labels: frozenset[str]
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LabelScores:
    """The threat network's confidences for each window and each label of one recording.

    Attributes:
        recording: The recording.
        confidences: (windows, labels), one window per second.
        duration_s: Duration of the recording, in seconds.
    """

    recording: Recording
    confidences: NDArray[np.float32]
    duration_s: float


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Recall and false alarms of one threat label at one confidence threshold.

    Attributes:
        label: The label.
        threshold: The threshold.
        clips: Number of recordings that contain the label.
        recalled: Number of those in which it was detected.
        hours: Total duration of the recordings that do not contain the label.
        alarms: Number of detections in those; consecutive windows count as one.
        per_day: False alarms per 24 hours.
        per_day_upper_bound: Upper bound of that rate at 95 % confidence.
    """

    label: str
    threshold: float
    clips: int
    recalled: int
    hours: float
    alarms: int
    per_day: float
    per_day_upper_bound: float


def read_recordings(root: Path) -> list[Recording]:
    """List the recordings in a folder that has one subfolder per threat label.

    The subfolder ``none`` contains recordings without any threat.

    Raises:
        BadLabels: the name of a subfolder is not a label, or there is no recording.
    """
    found = list(_recordings(root)) if root.is_dir() else []
    if not found:
        raise BadLabels(f"{root}: expected folders {', '.join(MEANINGS)} or none, with recordings in them")
    return found


def score_recordings(
    detector: ThreatSounds, recordings: Sequence[Recording], done: Callable[[int], None] | None = None
) -> tuple[list[LabelScores], list[tuple[Path, str]]]:
    """Compute a detector's confidences for each window of every recording.

    Args:
        detector: The detector to evaluate.
        recordings: The labelled recordings.
        done: Called with the number of processed recordings.

    Returns:
        The scores of each recording, and the files that could not be read, with the reason.
    """
    scored, unusable = [], []
    for number, recording in enumerate(recordings, 1):
        try:
            parts, duration_s = [], 0.0
            for stretch in read_stretches(recording.path):
                heard = [detector.confidences(detector.preprocess(signal)) for signal in stretch.signals]
                parts.append(np.max(heard, axis=0))
                duration_s += stretch.duration_s
            scored.append(LabelScores(recording, np.concatenate(parts), duration_s))
        except (Unreadable, OSError) as error:
            unusable.append((recording.path, str(error)))
        if done is not None:
            done(number)
    return scored, unusable


def label_figures(scored: Sequence[LabelScores], thresholds: Mapping[str, float] | None = None) -> list[LabelFigures]:
    """Compute recall and false alarms of each threat label.

    A label is included if a recording contains it; all labels are included if a recording contains no threat.

    Args:
        scored: The scores of all recordings.
        thresholds: Thresholds by label that override those of ``threat-sounds``.
    """
    limits = {**THRESHOLDS, **(thresholds or {})}
    return [
        _figures(scored, at, label, limits[label])
        for at, label in enumerate(MEANINGS)
        if any(label in scores.recording.labels for scores in scored)
        or any(not scores.recording.labels for scores in scored)
    ]


def threshold_for_alarms(scored: Sequence[LabelScores], label: str, per_day: float) -> float:
    """Return the lowest confidence threshold with at most ``per_day`` false alarms of a label per day."""
    at = list(MEANINGS).index(label)
    others = [scores for scores in scored if label not in scores.recording.labels | scores.recording.unsure]
    candidates = np.unique(np.concatenate([scores.confidences[:, at] for scores in others])) if others else np.zeros(0)
    low, high = 0, candidates.size  # binary search; alarms rise with the threshold only where it splits a run
    while low < high:
        middle = (low + high) // 2
        limit = float(np.nextafter(candidates[middle], 2))
        if _figures(others, at, label, limit).per_day <= per_day:
            high = middle
        else:
            low = middle + 1
    return 0.0 if not candidates.size else float(np.nextafter(candidates[min(low, candidates.size - 1)], 2))


def _figures(scored: Sequence[LabelScores], at: int, label: str, threshold: float) -> LabelFigures:
    positives = [scores for scores in scored if label in scores.recording.labels]
    negatives = [scores for scores in scored if label not in scores.recording.labels | scores.recording.unsure]
    alarms = sum(_count_runs(scores.confidences[:, at] >= threshold) for scores in negatives)
    hours = sum(scores.duration_s for scores in negatives) / 3600
    recalled = sum(bool((scores.confidences[:, at] >= threshold).any()) for scores in positives)
    rates = (alarms * _DAY_H / hours, poisson_upper_bound(alarms) * _DAY_H / hours) if hours else (np.nan, np.nan)
    return LabelFigures(label, threshold, len(positives), recalled, hours, alarms, *rates)


def poisson_upper_bound(count: int, confidence: float = 0.95) -> float:
    """Return the upper confidence bound of the mean of a Poisson distribution, given one observed count.

    At this mean, a count of at most ``count`` has the probability 1 - ``confidence``. The bound for a count of 0 is
    3.0 (the rule of three). It is solved by bisection.
    Source: Garwood 1936, "Fiducial limits for the Poisson distribution".
    """
    low, high = float(count), count + 10 + 5 * (count + 1) ** 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _poisson_cdf(count, middle) > 1 - confidence else (low, middle)
    return float((low + high) / 2)


def _poisson_cdf(count: int, mean: float) -> float:
    """Return the probability that a Poisson variable with the given mean is at most ``count``."""
    logs = np.arange(count + 1) * np.log(mean) - np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    return float(np.exp(logs - mean).sum())


def _count_runs(values: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(np.diff(np.concatenate(([False], values)).astype(np.int8)) == 1))


def _recordings(root: Path) -> Iterator[Recording]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name not in MEANINGS and folder.name not in NO_THREAT:
            raise BadLabels(f"{folder}: expected one of {', '.join(MEANINGS)}, or none")
        labels = frozenset([folder.name]) if folder.name in MEANINGS else frozenset()
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                yield Recording(path, labels)
