"""How many shots are still heard where hardly anything cries wolf: threat sounds, YAMNet and both, on quiet hours.

python -m bench.quiet SOUNDS.toml YAMNET_FOLDER QUIET_FOLDER [--weights FILE.onnx]

SOUNDS.toml and YAMNET_FOLDER as for bench.threat. QUIET_FOLDER has one subfolder for each collection of recordings in
which there is no threat; those shorter than 10 s are left out, since a call cut out of its surroundings begins with a
bang. Collections are dealt to two halves: a threshold is chosen on one and its false alarms are counted on the other.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.report import report
from bench.threat import Hear, Judged, judge, yamnet
from bench.threat import ours as confidences_of
from captures.decoded import Unreadable
from captures.sound import read_stretches
from models.evaluate.sound import LabelScores, Recording, label_figures, threshold_for_alarms
from models.threat import THRESHOLDS, ThreatOptions, ThreatSounds
from models.threat.detector import split_windows
from models.threat.front_end import RATE_HZ, log_mel
from models.train.threat.mixing import LABELS
from models.train.threat.sources import load_clip, read_sources

LABELS_COUNTED = ("gunshot", "chainsaw")  # the others may well be on a recording of birds
ALARMS_A_DAY = (500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
FORESTS = ("belize", "gabon")
SHORTEST_S = 10.0
Counted = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Quiet:
    """A recording without threats, and what each network made of it."""

    collection: str
    heard: dict[str, LabelScores]

    @property
    def hours(self) -> float:
        """How long it lasts."""
        return next(iter(self.heard.values())).duration_s / 3600


def listen(folder: Path, hearers: dict[str, Hear], told: Callable[[str], object]) -> Iterator[Quiet]:
    """Let every network hear the recordings of all collections; what cannot be read is told and left out."""
    for path in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
        try:
            stretches = list(read_stretches(path, RATE_HZ))
        except Unreadable as error:
            told(str(error))
            continue
        duration_s = sum(stretch.duration_s for stretch in stretches)
        if duration_s < SHORTEST_S:
            continue
        scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in hearers}
        for stretch in stretches:
            for name, hear in hearers.items():
                scores[name].append(hear(split_windows(stretch.samples)))
        recording = Recording(path, frozenset())
        heard = {name: LabelScores(recording, np.concatenate(parts), duration_s) for name, parts in scores.items()}
        yield Quiet(path.relative_to(folder).parts[0], heard)


def halves(quiet: Sequence[Quiet]) -> tuple[list[Quiet], list[Quiet]]:
    """Deal whole collections, longest first, to whichever half is shorter: no place is in both."""
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


def recalled(
    judged: Sequence[Judged], name: str, label: str, threshold: float, places: Sequence[str] = ()
) -> float | None:
    """Give the share of clips of a label that are heard, if there are any; only those of some sources where named."""
    best = [
        one.scores[name][:, LABELS.index(label)].max()
        for one in judged
        if one.clip.label == label and (not places or one.clip.source in places)
    ]
    return round(float(np.mean(np.array(best) >= threshold)), 3) if best else None


def at_rate(quiet: Sequence[Quiet], judged: Sequence[Judged], name: str, label: str, a_day: float) -> Counted:
    """Find the lowest threshold with so few false alarms a day, and what is still heard at it."""
    heard = [one.heard[name] for one in quiet]
    return counted(quiet, judged, name, label, threshold_for_alarms(heard, label, a_day))


def counted(quiet: Sequence[Quiet], judged: Sequence[Judged], name: str, label: str, threshold: float) -> Counted:
    """Count the false alarms of a threshold, and the share of clips that is heard at it."""
    heard = [one.heard[name] for one in quiet]
    (found,) = (one for one in label_figures(heard, {label: threshold}) if one.label == label)
    return {
        "threshold": threshold,
        "hours": round(found.hours, 2),
        "alarms": found.alarms,
        "a_day": round(found.per_day, 1),
        "at_most": round(found.per_day_upper_bound, 1),
        "recall": recalled(judged, name, label, threshold),
        "recall_forests": recalled(judged, name, label, threshold, FORESTS),
    }


def main() -> None:
    """Listen, print, and end with a line of JSON."""
    words = sys.argv[1:]
    weights = Path(words.pop(words.index("--weights") + 1)) if "--weights" in words else None
    places = [Path(word) for word in words if not word.startswith("--")]
    if len(places) != 3:
        sys.exit(__doc__)
    hearers: dict[str, Hear] = {"ours": ours(weights), "yamnet": yamnet(places[1])}
    if weights is None:
        together = ThreatSounds(ThreatOptions(second_opinion=True), places[1])
        hearers["both"] = confidences_of(together)
    listed = [one for one in read_sources(places[0]) if one.split == "test" and one.labels & set(LABELS_COUNTED)]
    judged, _ = judge([(load_clip(one), f"{one.source}:{one.kind}") for one in listed], hearers)
    quiet = list(listen(places[2], hearers, lambda reason: print(reason, file=sys.stderr)))
    if not quiet:
        sys.exit(f"{places[2]}: expected folders of recordings of at least {SHORTEST_S:g} s")
    chosen_on, measured_on = halves(quiet)
    rows: list[list[str]] = []
    raw: dict[str, object] = {
        "recordings": len(quiet),
        "shipped": {label: counted(quiet, judged, "ours", label, THRESHOLDS[label]) for label in LABELS},
    }
    if "both" in hearers:
        raw["shipped, both"] = {
            label: counted(quiet, judged, "both", label, together.thresholds[label]) for label in LABELS_COUNTED
        }
    for label in LABELS_COUNTED:
        for name in hearers:
            curve = {f"{wish:g}": at_rate(quiet, judged, name, label, wish) for wish in ALARMS_A_DAY}
            crossed = {}
            for wish in ALARMS_A_DAY:
                threshold = threshold_for_alarms([one.heard[name] for one in chosen_on], label, wish)
                crossed[f"{wish:g}"] = counted(measured_on, judged, name, label, threshold)
            raw[f"{label} {name}"] = {"all": curve, "chosen on one half, counted on the other": crossed}
            rows += [
                [f"{label} {name} {wish}", *map(_text, found.values()), _text(crossed[wish]["a_day"])]
                for wish, found in curve.items()
            ]
    heading = ["a day", "threshold", "hours", "alarms", "a day", "at most", "heard", "in forests", "other half"]
    report("quiet", heading, rows, {}, raw)


def ours(weights: Path | None) -> Hear:
    """Give our network's scores of windows: the one that comes with Wildpost, or another of its kind."""
    if weights is None:
        return confidences_of(ThreatSounds())
    import onnxruntime

    session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    return lambda windows: np.asarray(session.run(None, {"log_mel": log_mel(windows)})[0], np.float32)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


if __name__ == "__main__":
    main()
