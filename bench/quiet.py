"""Recall of the threat-sound network, YAMNet and both at thresholds with few false alarms on threat-free recordings.

python -m bench.quiet SOUNDS.toml YAMNET_FOLDER QUIET_FOLDER [--weights FILE.onnx]

SOUNDS.toml and YAMNET_FOLDER as for bench.threat. QUIET_FOLDER has one subfolder for each collection of recordings
without threats; recordings shorter than 10 s are skipped, since a call cut out of a recording starts abruptly, like a
bang. The collections are split into two halves: a threshold is chosen on one, and its false alarms are counted on the
other.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.report import Report, run_bench
from bench.threat import ScoredClip, Scorer, score_clips, yamnet
from bench.threat import ours as confidences_of
from captures.decoded import Unreadable
from captures.sound import read_stretches
from models.evaluate.sound import LabelScores, Recording, label_figures, threshold_for_alarms
from models.runtime_imports import load_onnxruntime
from models.threat import THRESHOLDS, ThreatOptions, ThreatSounds
from models.threat.detector import split_windows
from models.threat.front_end import RATE_HZ, log_mel
from models.train.threat.mixing import LABELS
from models.train.threat.sources import load_clip, read_sources

LABELS_COUNTED = ("gunshot", "chainsaw")  # recordings of birds may contain the other labels
ALARMS_A_DAY = (500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
FORESTS = ("belize", "gabon")
SHORTEST_S = 10.0
Evaluation = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Quiet:
    """A recording without threats, with each network's scores."""

    collection: str
    scores_by_network: dict[str, LabelScores]

    @property
    def hours(self) -> float:
        """Duration of the recording in hours."""
        return next(iter(self.scores_by_network.values())).duration_s / 3600


def score_recordings(folder: Path, scorers: dict[str, Scorer], on_skipped: Callable[[str], object]) -> Iterator[Quiet]:
    """Score all recordings with every network; pass the reason for each unreadable one to ``on_skipped``."""
    for path in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
        try:
            stretches = list(read_stretches(path, RATE_HZ))
        except Unreadable as error:
            on_skipped(str(error))
            continue
        duration_s = sum(stretch.duration_s for stretch in stretches)
        if duration_s < SHORTEST_S:
            continue
        scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in scorers}
        for stretch in stretches:
            for name, score in scorers.items():
                scores[name].append(score(split_windows(stretch.samples)))
        recording = Recording(path, frozenset())
        scores_by_network = {
            name: LabelScores(recording, np.concatenate(parts), duration_s) for name, parts in scores.items()
        }
        yield Quiet(path.relative_to(folder).parts[0], scores_by_network)


def split_collections(quiet: Sequence[Quiet]) -> tuple[list[Quiet], list[Quiet]]:
    """Divide collections of recordings into two halves of similar total duration; no collection is split.

    The collections are assigned longest first, each to the half that is shorter so far.
    """
    lengths: dict[str, float] = {}
    for one in quiet:
        lengths[one.collection] = lengths.get(one.collection, 0.0) + one.hours
    first: set[str] = set()
    dealt = [0.0, 0.0]
    for name, hours in sorted(lengths.items(), key=lambda item: (-item[1], item[0])):
        shorter = int(dealt[1] < dealt[0])
        dealt[shorter] += hours
        if shorter == 0:
            first.add(name)
    return [one for one in quiet if one.collection in first], [one for one in quiet if one.collection not in first]


def recall_of(
    scored: Sequence[ScoredClip], name: str, label: str, threshold: float, places: Sequence[str] = ()
) -> float | None:
    """Return a network's recall on the clips of a label, or None if there are no such clips.

    Only clips of the sources in ``places`` count; if it is empty, clips of all sources count.
    """
    best = [
        one.scores[name][:, LABELS.index(label)].max()
        for one in scored
        if one.clip.label == label and (not places or one.clip.source in places)
    ]
    return round(float(np.mean(np.array(best) >= threshold)), 3) if best else None


def at_alarm_rate(
    quiet: Sequence[Quiet], scored: Sequence[ScoredClip], name: str, label: str, a_day: float
) -> Evaluation:
    """Return the evaluation of the lowest threshold that gives at most ``a_day`` false alarms a day."""
    scores_by_network = [one.scores_by_network[name] for one in quiet]
    return evaluate(quiet, scored, name, label, threshold_for_alarms(scores_by_network, label, a_day))


def evaluate(
    quiet: Sequence[Quiet], scored: Sequence[ScoredClip], name: str, label: str, threshold: float
) -> Evaluation:
    """Return a network's false alarms on quiet recordings and its recall on clips, for one label and threshold."""
    scores_by_network = [one.scores_by_network[name] for one in quiet]
    (found,) = (one for one in label_figures(scores_by_network, {label: threshold}) if one.label == label)
    return {
        "threshold": threshold,
        "hours": round(found.hours, 2),
        "alarms": found.alarms,
        "a_day": round(found.per_day, 1),
        "at_most": round(found.per_day_upper_bound, 1),
        "recall": recall_of(scored, name, label, threshold),
        "recall_forests": recall_of(scored, name, label, threshold, FORESTS),
    }


def main() -> int:
    """Score the recordings and print recall and false alarms at each threshold."""
    words = sys.argv[1:]
    weights = Path(words.pop(words.index("--weights") + 1)) if "--weights" in words else None
    places = [Path(word) for word in words if not word.startswith("--")]
    if len(places) != 3:
        sys.exit(__doc__)
    return run_bench("quiet", lambda report: _measure(places, weights, report))


def _measure(places: Sequence[Path], weights: Path | None, report: Report) -> bool:
    scorers: dict[str, Scorer] = {"ours": ours(weights), "yamnet": yamnet(places[1])}
    if weights is None:
        together = ThreatSounds(ThreatOptions(second_opinion=True), places[1])
        scorers["both"] = confidences_of(together)
    listed = [one for one in read_sources(places[0]) if one.split == "test" and one.labels & set(LABELS_COUNTED)]
    scored, _ = score_clips([(load_clip(one), f"{one.source}:{one.kind}") for one in listed], scorers)
    quiet = list(score_recordings(places[2], scorers, lambda reason: print(reason, file=sys.stderr)))
    if not quiet:
        raise ValueError(f"{places[2]}: expected folders of recordings of at least {SHORTEST_S:g} s")
    chosen_on, measured_on = split_collections(quiet)
    rows: list[list[str]] = []
    raw: dict[str, object] = {
        "recordings": len(quiet),
        "shipped": {label: evaluate(quiet, scored, "ours", label, THRESHOLDS[label]) for label in LABELS},
    }
    if "both" in scorers:
        raw["shipped, both"] = {
            label: evaluate(quiet, scored, "both", label, together.thresholds[label]) for label in LABELS_COUNTED
        }
    for label in LABELS_COUNTED:
        for name in scorers:
            curve = {f"{target:g}": at_alarm_rate(quiet, scored, name, label, target) for target in ALARMS_A_DAY}
            cross_validated = {}
            for target in ALARMS_A_DAY:
                threshold = threshold_for_alarms([one.scores_by_network[name] for one in chosen_on], label, target)
                cross_validated[f"{target:g}"] = evaluate(measured_on, scored, name, label, threshold)
            raw[f"{label} {name}"] = {"all": curve, "chosen on one half, counted on the other": cross_validated}
            rows += [
                [f"{label} {name} {target}", *map(_text, found.values()), _text(cross_validated[target]["a_day"])]
                for target, found in curve.items()
            ]
    heading = ["a day", "threshold", "hours", "alarms", "a day", "at most", "recall", "in forests", "other half"]
    report.results(heading, rows, {}, raw)
    return True


def ours(weights: Path | None) -> Scorer:
    """Return a function that scores windows with the threat-sound network, or with another ONNX file if given."""
    if weights is None:
        return confidences_of(ThreatSounds())
    session = load_onnxruntime().InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    return lambda windows: np.asarray(session.run(None, {"log_mel": log_mel(windows)})[0], np.float32)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


if __name__ == "__main__":
    sys.exit(main())
