"""Trains the threat network on the clips of a sounds table, and measures what it hears on held-out ones."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models.evaluate.sound import LabelFigures, LabelScores, Recording, figures, listen
from models.registry import RegistryEntry, WeightsError
from models.threat import THRESHOLDS, ThreatSounds
from models.train.export import AGREEMENT, sha256_of
from models.train.options import SoundTrainOptions, read_sound_options, write_options
from models.train.threat.fit import EpochLoss, Mixtures, confidences, make_mixtures, temperatures, train
from models.train.threat.mixing import LABELS, TrainingClip
from models.train.threat.network import export
from models.train.threat.sources import BadSources, ListedClip, hash_of, load_all
from models.train.threat.synthetic import synthetic_knocks, synthetic_noises

CHECKPOINT = Path("weights", "last.pt")
NETWORK = Path("weights", "threat.onnx")
METRICS = "metrics.json"
_VALIDATION = 8  # one mixture for validation to so many for training
_MADE = 32  # one synthetic clip to so many mixtures: 500 to 16,000, as models/weights/threat-sounds.md has it
_NOISES = 0.7  # share of the synthetic clips that are backgrounds; the others are knocks

Told = Callable[[str], object]
Watch = Callable[[EpochLoss], object]


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that a station can run, and what it hears.

    Attributes:
        path: The ONNX file.
        temperatures: By label, fitted on the validation mixtures.
        difference: The largest between torch and ONNX Runtime, of a confidence.
        heard: The confidences of each clip of the split test.
        unusable: Clips of the split test that could not be read, with the reason.
        figures: By label, at the thresholds of ``threat-sounds``; empty without a clip in the split test.
    """

    path: Path
    temperatures: dict[str, float]
    difference: float
    heard: list[LabelScores]
    unusable: list[tuple[Path, str]]
    figures: list[LabelFigures]


def start(listed: Sequence[ListedClip], run: Path, options: SoundTrainOptions, told: Told, watch: Watch) -> Trained:
    """Train from the beginning.

    The folder gets ``run.json``, ``weights/last.pt`` after every epoch, ``weights/threat.onnx`` and ``metrics.json``.

    Args:
        listed: The clips, as ``read_sources`` returned them.
        run: The folder of the run.
        options: How to train.
        told: Called with what is done next.
        watch: Called after each epoch.

    Raises:
        WeightsError: a run is already in the folder.
        BadSources: all clips of a label are silent.
        Unreadable: a clip cannot be read.
    """
    if (run / CHECKPOINT).exists():
        raise WeightsError(f"{run}: holds a run already; resume it with --resume, or name another folder")
    write_options(options, run)
    return _train(listed, run, options, told, watch)


def resume(listed: Sequence[ListedClip], run: Path, told: Told, watch: Watch) -> Trained:
    """Resume a run that was interrupted, after the last epoch that it had finished.

    Raises:
        WeightsError: there is no such run, it is finished, or it was on other clips.
        Unreadable: a clip cannot be read.
    """
    options = read_sound_options(run)
    if (found := hash_of(listed)) != options.clips_sha256:
        raise WeightsError(f"{run}: was trained on clips with sha256 {options.clips_sha256}, these have {found}")
    if (run / METRICS).exists():
        raise WeightsError(f"{run}: this run is finished: wildpost models export {run} --name NAME --out FOLDER")
    return _train(listed, run, options, told, watch)


def licences_of(listed: Sequence[ListedClip]) -> str:
    """Name the licences of the clips that are learnt from or calibrated on."""
    return "; ".join(sorted({one.licence for one in listed if one.split != "test"}))


def entry_of(name: str, path: Path) -> RegistryEntry:
    """Describe trained weights, to open them before they are exported under a name."""
    return RegistryEntry(
        kind="threat",
        version="0",
        licence="not stated",
        homepage="",
        filename=path.name,
        file=path.name,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        name=name,
        folder=path.parent,
    )


def _train(listed: Sequence[ListedClip], run: Path, options: SoundTrainOptions, told: Told, watch: Watch) -> Trained:
    learning, validation = (_mixed(listed, split, options, told) for split in ("train", "val"))
    told(f"training {options.epochs} epochs")
    network = train(learning, options.epochs, options.seed, watch, validation, run / CHECKPOINT)
    fitted = temperatures(network, validation)
    path, difference = _exported(network, fitted, run, options, listed, validation)
    test = [Recording(one.path, one.labels, one.unsure) for one in listed if one.split == "test"]
    told(f"listening to {len(test)} clips of the split test")
    heard, unusable = listen(ThreatSounds(model="trained", registry={"trained": entry_of("trained", path)}), test)
    made = Trained(
        path, dict(zip(LABELS, fitted, strict=True)), difference, heard, unusable, figures(heard) if heard else []
    )
    _write_metrics(made, run / METRICS)
    return made


def _mixed(listed: Sequence[ListedClip], split: str, options: SoundTrainOptions, told: Told) -> Mixtures:
    """Read the clips of a split and mix windows out of them and synthetic noise."""
    chosen = [one for one in listed if one.split == split]
    count, seed = (options.mixtures, options.seed)
    if split == "val":
        count, seed = max(64, options.mixtures // _VALIDATION), options.seed + 1
    told(f"reading {len(chosen)} clips of the split {split}, mixing {count} windows")
    clips = [*load_all(chosen), *_made(count, seed)]
    try:
        return make_mixtures(clips, count, seed)
    except ValueError as error:  # a label of which all clips are silent
        raise BadSources(f"split {split}: {error}") from error


def _made(mixtures: int, seed: int) -> list[TrainingClip]:
    count = max(10, mixtures // _MADE)
    noises = round(count * _NOISES)
    return [*synthetic_noises(noises, seed), *synthetic_knocks(count - noises, seed)]


def _exported(
    network: Any,
    fitted: Sequence[float],
    run: Path,
    options: SoundTrainOptions,
    listed: Sequence[ListedClip],
    validation: Mixtures,
) -> tuple[Path, float]:
    """Export, and compare with torch on validation mixtures.

    Raises:
        WeightsError: the two do not agree.
    """
    import onnxruntime

    path = run / NETWORK
    described = {"licences": licences_of(listed), "training": msgspec.json.encode(options).decode()}
    with warnings.catch_warnings():
        # Torch warns of its older exporter, which is used on purpose. Whether the file is right is found out below.
        warnings.simplefilter("ignore")
        export(network, fitted, str(path), described)
    few = Mixtures(validation.pictures[:64], validation.present[:64])
    plain = np.clip(confidences(network, few).astype(np.float64), 1e-9, 1 - 1e-9)
    expected = 1 / (1 + np.exp(-np.log(plain / (1 - plain)) / np.array(fitted)))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: few.pictures.astype(np.float32)})[0]
    difference = float(np.abs(expected - found).max())
    if not difference <= AGREEMENT:
        path.unlink()
        raise WeightsError(f"{path.name}: differs from torch by {difference:.2g}: expected at most {AGREEMENT:g}")
    return path, difference


def _write_metrics(made: Trained, path: Path) -> None:
    labels = {
        one.label: {
            "threshold": one.threshold,
            "clips": one.clips,
            "heard_in": one.recalled,
            "hours_without": round(one.hours, 4),
            "false_alarms": one.alarms,
        }
        for one in made.figures
    }
    content = {"temperatures": made.temperatures, "thresholds": dict(THRESHOLDS), "test": labels}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
