"""Recall and false alarms of the threat-sound network and of YAMNet on the same held-out clips.

python -m bench.threat SOUNDS.toml YAMNET_FOLDER [--quick]

SOUNDS.toml lists the clips as for training; only those of its test split are used. YAMNET_FOLDER contains
yamnet_spectra_in.tflite and yamnet_class_map.csv. Both networks get the same 2 s windows, one starting each second; a
clip counts as detected if one window reaches the threshold. YAMNet's score of a label is the highest score of its
classes for that label.
"""

import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.ratios import ratio
from bench.report import Report, run_bench
from models.evaluate.sound import poisson_upper_bound
from models.threat import THRESHOLDS, ThreatSounds
from models.threat.detector import PreparedThreats, split_windows
from models.threat.front_end import RATE_HZ, log_mel
from models.threat.yamnet import YamNet
from models.train.threat.mixing import LABELS, MixingOptions, TrainingClip, mix_window
from models.train.threat.sources import load_clip, read_sources

YAMNET_CLASSES = {
    "gunshot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire"),
    "chainsaw": ("Chainsaw",),
    "engine": (
        *("Engine", "Light engine (high frequency)", "Medium engine (mid frequency)", "Heavy engine (low frequency)"),
        *("Engine knocking", "Engine starting", "Idling", "Accelerating, revving, vroom", "Car", "Motorcycle", "Truck"),
        *("Vehicle", "Motor vehicle (road)"),
    ),
    "dog": ("Dog", "Bark", "Yip", "Howl", "Bow-wow", "Growling", "Whimper (dog)"),
    "voice": (
        *("Speech", "Child speech, kid speaking", "Conversation", "Narration, monologue", "Babbling", "Shout", "Yell"),
        *("Children shouting", "Screaming", "Laughter", "Giggle", "Crying, sobbing", "Baby cry, infant cry"),
        *("Children playing", "Whispering", "Hubbub, speech noise, speech babble"),
    ),
}
SNR_DB = (-5.0, 0.0, 5.0, 10.0, 20.0)
WILD = ("scikit_maad", "opensoundscape", "birdsong", "microfaune", "samples")
Scorer = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (n, 32000) windows to (n, 5) scores


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A sound clip with the scores that each network computed for its windows: arrays (n windows, 5 labels)."""

    clip: TrainingClip
    kind: str
    scores: dict[str, NDArray[np.float32]]


def ours(detector: ThreatSounds) -> Scorer:
    """Return a function that computes the threat-sound detector's confidences for an array of windows."""
    return lambda windows: detector.confidences(PreparedThreats(log_mel(windows), 2.0, windows))


def yamnet(folder: Path) -> Scorer:
    """Return a function that scores windows with YAMNet; a label gets the highest score of its YAMNet classes."""
    network = YamNet(folder / "yamnet_spectra_in.tflite")
    with (folder / "yamnet_class_map.csv").open() as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    columns = [[names.index(name) for name in YAMNET_CLASSES[label]] for label in LABELS]

    def score(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.stack([network.scores(window) for window in windows])
        return np.stack([scores[:, some].max(axis=1) for some in columns], axis=1)

    return score


def score_clips(
    listed: Sequence[tuple[TrainingClip, str]], scorers: dict[str, Scorer]
) -> tuple[list[ScoredClip], dict[str, float]]:
    """Score every clip with every network; also return each network's total inference time in seconds."""
    seconds = dict.fromkeys(scorers, 0.0)
    scored = []
    for clip, kind in listed:
        windows = split_windows(clip.samples)
        scores = {}
        for name, score in scorers.items():
            began = time.perf_counter()
            scores[name] = score(windows)
            seconds[name] += time.perf_counter() - began
        scored.append(ScoredClip(clip, kind, scores))
    return scored, seconds


def figures_of(scored: Sequence[ScoredClip], name: str, thresholds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Compute a network's recall for each label, and its false alarms on clips of other labels and of ``WILD``."""
    figures = {}
    for at, label in enumerate(LABELS):
        positives = [one for one in scored if one.clip.label == label]
        others = [one for one in scored if one.clip.label != label and label not in one.clip.unsure]
        wild = [one for one in others if one.clip.source in WILD]
        recall = np.mean([one.scores[name][:, at].max() >= thresholds[label] for one in positives])
        alarms, wild_alarms = (alarms_of(some, name, at, thresholds[label]) for some in (others, wild))
        hours, wild_hours = (sum(one.clip.samples.size for one in some) / RATE_HZ / 3600 for some in (others, wild))
        figures[label] = {
            "threshold": round(thresholds[label], 4),
            "clips": len(positives),
            "recall": round(float(recall), 3),
            "alarms_an_hour": round(alarms / hours, 2),
            "hours": round(hours, 2),
            "wild_alarms": wild_alarms,
            "wild_hours": round(wild_hours, 3),
            "wild_a_day_at_most": round(poisson_upper_bound(wild_alarms) * 24 / wild_hours, 1)
            if wild_hours
            else float("nan"),
        }
    return figures


def alarms_of(scored: Sequence[ScoredClip], name: str, at: int, threshold: float) -> int:
    """Count a network's alarms for one label: runs of consecutive windows at or above a threshold."""
    total = 0
    for one in scored:
        above = np.concatenate(([False], one.scores[name][:, at] >= threshold))
        total += int(np.count_nonzero(np.diff(above.astype(np.int8)) == 1))
    return total


def by_source(
    scored: Sequence[ScoredClip], ours: dict[str, float], yamnet: dict[str, float]
) -> dict[str, dict[str, float | int]]:
    """Count the clips that each network detects, by label and by source and kind of the clip."""
    counts: dict[str, dict[str, float | int]] = {}
    for one in scored:
        if one.clip.label is not None:
            at = LABELS.index(one.clip.label)
            row = counts.setdefault(f"{one.clip.label} {one.kind}", {"clips": 0, "ours": 0, "yamnet": 0})
            row["clips"] += 1
            row["ours"] += int(one.scores["ours"][:, at].max() >= ours[one.clip.label])
            row["yamnet"] += int(one.scores["yamnet"][:, at].max() >= yamnet[one.clip.label])
    return counts


def threshold_for_recall(scored: Sequence[ScoredClip], name: str, at: int, recall: float) -> float:
    """Return the threshold at which a network has the given recall on a label."""
    best = sorted(one.scores[name][:, at].max() for one in scored if one.clip.label == LABELS[at])
    return float(best[min(int((1 - recall) * len(best)), len(best) - 1)])


def recall_by_snr(clips: Sequence[TrainingClip], scorers: dict[str, Scorer], count: int) -> dict[str, dict[str, float]]:
    """Return each network's recall of gunshots mixed into background sound, by signal-to-noise ratio.

    The threshold gives one false alarm in 1,000 mixtures without gunshots.
    """
    backgrounds = [clip for clip in clips if clip.background]
    others = [[clip for clip in clips if clip.label is None and "gunshot" not in clip.unsure]]
    shots = [[clip for clip in clips if clip.label == "gunshot"]]
    random = np.random.default_rng(7)
    no_shots = MixingOptions(background_only=0.3, second_sound=0)
    quiet = np.stack([mix_window(others, backgrounds, random, no_shots)[0] for _ in range(5 * count)])
    mixing = {snr: MixingOptions(signal_to_noise_db=(snr, snr), background_only=0, second_sound=0) for snr in SNR_DB}
    loud = {
        snr: np.stack([mix_window(shots, backgrounds, random, options)[0] for _ in range(count)])
        for snr, options in mixing.items()
    }
    recalls: dict[str, dict[str, float]] = {}
    for name, score in scorers.items():
        limit = float(np.quantile(score(quiet)[:, 0], 0.999))
        recalls[name] = {
            f"{snr:g} dB": round(float((score(some)[:, 0] > limit).mean()), 3) for snr, some in loud.items()
        }
    return recalls


def main() -> int:
    """Compare Wildpost's threat network with YAMNet on held-out clips, and print recall and false alarms of both."""
    places = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    if len(places) != 2:
        sys.exit(__doc__)
    return run_bench("threat", lambda report: _measure(places, "--quick" in sys.argv, report))


def _measure(places: Sequence[Path], quick: bool, report: Report) -> bool:
    scorers = {"ours": ours(ThreatSounds()), "yamnet": yamnet(places[1])}
    test = [one for one in read_sources(places[0]) if one.split == "test"]
    listed = [(load_clip(one), f"{one.source}:{one.kind}") for one in (test[::5] if quick else test)]
    scored, seconds = score_clips(listed, scorers)
    own = figures_of(scored, "ours", dict(THRESHOLDS))
    same = {label: threshold_for_recall(scored, "yamnet", at, own[label]["recall"]) for at, label in enumerate(LABELS)}
    theirs = figures_of(scored, "yamnet", same)
    field = recall_by_snr([clip for clip, _ in listed], scorers, 20 if quick else 200)
    by_sources = by_source(scored, dict(THRESHOLDS), same)
    columns = ("clips", "recall", "alarms_an_hour", "hours", "wild_alarms", "wild_hours", "wild_a_day_at_most")
    rows = [
        [f"{name} {label}", *(f"{figures[label][column]:g}" for column in columns)]
        for label in LABELS
        for name, figures in (("ours", own), ("yamnet", theirs))
    ]
    # At the same recall; half an alarm is added to both, so that a count of zero gives a finite ratio.
    ratios: dict[str, float | None] = {
        label: (theirs[label]["alarms_an_hour"] + 0.5) / (own[label]["alarms_an_hour"] + 0.5) for label in LABELS
    }
    ratios["speed"] = ratio(seconds["yamnet"], seconds["ours"])
    raw = {"ours": own, "yamnet": theirs, "field": field, "places": by_sources, "seconds": seconds}
    report.results(["", *columns], rows, ratios, raw)
    return True


if __name__ == "__main__":
    sys.exit(main())
