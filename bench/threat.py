"""Threat sounds beside YAMNet on the same held-out clips: what is heard, and how often either cries wolf.

python -m bench.threat SOUNDS.toml YAMNET_FOLDER [--quick]

SOUNDS.toml names the clips as for training; only those of its test split are listened to. YAMNET_FOLDER holds
yamnet_spectra_in.tflite and yamnet_class_map.csv. Both hear the same 2 s windows, one begun each second; a clip counts
as heard where one window reaches the threshold. YAMNet's score of a threat is the highest of its classes for it.
"""

import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.report import report
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
Hear = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (n, 32000) windows to (n, 5) scores


@dataclass(frozen=True, slots=True)
class Judged:
    """A clip and each network's scores of its windows, (n, 5)."""

    clip: TrainingClip
    kind: str
    scores: dict[str, NDArray[np.float32]]


def ours(detector: ThreatSounds) -> Hear:
    """Give a detector's confidences of windows."""
    return lambda windows: detector.confidences(PreparedThreats(log_mel(windows), 2.0, windows))


def yamnet(folder: Path) -> Hear:
    """Give YAMNet's scores of windows, for each label the highest of its classes for it."""
    network = YamNet(folder / "yamnet_spectra_in.tflite")
    with (folder / "yamnet_class_map.csv").open() as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    columns = [[names.index(name) for name in YAMNET_CLASSES[label]] for label in LABELS]

    def hear(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.stack([network.scores(window) for window in windows])
        return np.stack([scores[:, some].max(axis=1) for some in columns], axis=1)

    return hear


def judge(
    listed: Sequence[tuple[TrainingClip, str]], hearers: dict[str, Hear]
) -> tuple[list[Judged], dict[str, float]]:
    """Let every network hear every clip; also how many seconds each took for one hour of sound."""
    seconds = dict.fromkeys(hearers, 0.0)
    judged = []
    for clip, kind in listed:
        windows = split_windows(clip.samples)
        scores = {}
        for name, hear in hearers.items():
            began = time.perf_counter()
            scores[name] = hear(windows)
            seconds[name] += time.perf_counter() - began
        judged.append(Judged(clip, kind, scores))
    return judged, seconds


def figures_of(judged: Sequence[Judged], name: str, thresholds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Work out each label's recall, and false alarms in hours of other clips and of wild sound."""
    figures = {}
    for at, label in enumerate(LABELS):
        holding = [one for one in judged if one.clip.label == label]
        others = [one for one in judged if one.clip.label != label and label not in one.clip.unsure]
        wild = [one for one in others if one.clip.source in WILD]
        heard = np.mean([one.scores[name][:, at].max() >= thresholds[label] for one in holding])
        alarms, wild_alarms = (alarms_of(some, name, at, thresholds[label]) for some in (others, wild))
        hours, wild_hours = (sum(one.clip.samples.size for one in some) / RATE_HZ / 3600 for some in (others, wild))
        figures[label] = {
            "threshold": round(thresholds[label], 4),
            "clips": len(holding),
            "recall": round(float(heard), 3),
            "alarms_an_hour": round(alarms / hours, 2),
            "hours": round(hours, 2),
            "wild_alarms": wild_alarms,
            "wild_hours": round(wild_hours, 3),
            "wild_a_day_at_most": round(poisson_upper_bound(wild_alarms) * 24 / wild_hours, 1)
            if wild_hours
            else float("nan"),
        }
    return figures


def alarms_of(judged: Sequence[Judged], name: str, at: int, threshold: float) -> int:
    """Count runs of windows at or above a threshold."""
    total = 0
    for one in judged:
        above = np.concatenate(([False], one.scores[name][:, at] >= threshold))
        total += int(np.count_nonzero(np.diff(above.astype(np.int8)) == 1))
    return total


def by_place(
    judged: Sequence[Judged], ours: dict[str, float], yamnet: dict[str, float]
) -> dict[str, dict[str, float | int]]:
    """Count, for each source and kind of clip with a threat, how many each network heard."""
    counted: dict[str, dict[str, float | int]] = {}
    for one in judged:
        if one.clip.label is not None:
            at = LABELS.index(one.clip.label)
            row = counted.setdefault(f"{one.clip.label} {one.kind}", {"clips": 0, "ours": 0, "yamnet": 0})
            row["clips"] += 1
            row["ours"] += int(one.scores["ours"][:, at].max() >= ours[one.clip.label])
            row["yamnet"] += int(one.scores["yamnet"][:, at].max() >= yamnet[one.clip.label])
    return counted


def threshold_for_recall(judged: Sequence[Judged], name: str, at: int, recall: float) -> float:
    """Find the threshold at which a network hears such a share of the clips of a label."""
    best = sorted(one.scores[name][:, at].max() for one in judged if one.clip.label == LABELS[at])
    return float(best[min(int((1 - recall) * len(best)), len(best) - 1)])


def in_the_field(clips: Sequence[TrainingClip], hearers: dict[str, Hear], count: int) -> dict[str, dict[str, float]]:
    """Hear shots mixed at each signal-to-noise ratio from afar: the share heard at a false alarm in 1,000 mixtures."""
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
    heard: dict[str, dict[str, float]] = {}
    for name, hear in hearers.items():
        limit = float(np.quantile(hear(quiet)[:, 0], 0.999))
        heard[name] = {f"{snr:g} dB": round(float((hear(some)[:, 0] > limit).mean()), 3) for snr, some in loud.items()}
    return heard


def main() -> None:
    """Listen, print, and end with a line of JSON."""
    places = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    if len(places) != 2:
        sys.exit(__doc__)
    quick = "--quick" in sys.argv
    hearers = {"ours": ours(ThreatSounds()), "yamnet": yamnet(places[1])}
    test = [one for one in read_sources(places[0]) if one.split == "test"]
    listed = [(load_clip(one), f"{one.source}:{one.kind}") for one in (test[::5] if quick else test)]
    judged, seconds = judge(listed, hearers)
    own = figures_of(judged, "ours", dict(THRESHOLDS))
    same = {label: threshold_for_recall(judged, "yamnet", at, own[label]["recall"]) for at, label in enumerate(LABELS)}
    theirs = figures_of(judged, "yamnet", same)
    field = in_the_field([clip for clip, _ in listed], hearers, 20 if quick else 200)
    places_heard = by_place(judged, dict(THRESHOLDS), same)
    columns = ("clips", "recall", "alarms_an_hour", "hours", "wild_alarms", "wild_hours", "wild_a_day_at_most")
    rows = [
        [f"{name} {label}", *(f"{figures[label][column]:g}" for column in columns)]
        for label in LABELS
        for name, figures in (("ours", own), ("yamnet", theirs))
    ]
    # At the same recall; half an alarm is added to both, since none in an hour is not none for ever.
    ratios = {label: (theirs[label]["alarms_an_hour"] + 0.5) / (own[label]["alarms_an_hour"] + 0.5) for label in LABELS}
    raw = {"ours": own, "yamnet": theirs, "field": field, "places": places_heard, "seconds": seconds}
    report("threat", ["", *columns], rows, ratios | {"speed": seconds["yamnet"] / seconds["ours"]}, raw)


if __name__ == "__main__":
    main()
