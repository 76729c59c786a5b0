"""Trains, exports and evaluates the threat-sound network with the clips that a sounds table (a TOML file) lists."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models.evaluate.sound import LabelFigures, LabelScores, Recording, label_figures, score_recordings
from models.registry import RegistryEntry, WeightsError, sha256_of
from models.runtime_imports import load_onnxruntime
from models.threat import THRESHOLDS, ThreatSounds
from models.train.export import AGREEMENT
from models.train.options import SoundTrainOptions, read_sound_options, write_options
from models.train.threat.fit import (
    EpochLoss,
    MixtureSet,
    fit_temperatures,
    make_mixtures,
    predict_confidences,
    train,
)
from models.train.threat.mixing import LABELS, TrainingClip
from models.train.threat.network import export_network
from models.train.threat.sources import BadSources, ListedClip, clips_sha256, load_clips
from models.train.threat.synthetic import synthetic_knocks, synthetic_noises

CHECKPOINT = Path("weights", "last.pt")
NETWORK = Path("weights", "threat.onnx")
METRICS = "metrics.json"
_VALIDATION = 8  # training mixtures per validation mixture
_SYNTHETIC = 32  # mixtures per synthetic clip: 500 clips for 16,000 mixtures, as in models/weights/threat-sounds.md
_NOISES = 0.7  # fraction of the synthetic clips that are backgrounds; the others are knocks

Log = Callable[[str], object]  # receives a description of the next step
OnEpoch = Callable[[EpochLoss], object]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The exported network of a training run, and its evaluation on the test clips.

    Attributes:
        path: Path of the ONNX file.
        temperatures: Temperature of each label, fitted on the validation mixtures.
        difference: Largest difference of a confidence between torch and ONNX Runtime.
        scores: Confidences of each clip of the split test.
        unusable: Clips of the split test that could not be read, with the reason.
        figures: Figures of each label at the thresholds of ``threat-sounds``; empty if the split test is empty.
    """

    path: Path
    temperatures: dict[str, float]
    difference: float
    scores: list[LabelScores]
    unusable: list[tuple[Path, str]]
    figures: list[LabelFigures]


def start(
    listed: Sequence[ListedClip], run: Path, options: SoundTrainOptions, log: Log, on_epoch: OnEpoch
) -> TrainingResult:
    """Train, export and evaluate a threat-sound network in the folder of a new training run.

    It writes ``run.json``, ``weights/last.pt`` after every epoch, ``weights/threat.onnx`` and ``metrics.json`` to the
    folder.

    Args:
        listed: The clips, as returned by ``read_sources``.
        run: The folder of the run.
        options: Training options.
        log: Called with a description of each step before it begins.
        on_epoch: Called after each epoch.

    Raises:
        WeightsError: the folder already contains a run.
        BadSources: all clips of a label are silent.
        Unreadable: a clip cannot be read.
    """
    if (run / CHECKPOINT).exists():
        raise WeightsError(f"{run}: holds a run already; resume it with --resume, or name another folder")
    write_options(options, run)
    return _train(listed, run, options, log, on_epoch)


def resume(listed: Sequence[ListedClip], run: Path, log: Log, on_epoch: OnEpoch) -> TrainingResult:
    """Resume an interrupted training run of a threat-sound network after its last finished epoch.

    Raises:
        WeightsError: there is no such run, it is finished, or it used other clips.
        Unreadable: a clip cannot be read.
    """
    options = read_sound_options(run)
    if (found := clips_sha256(listed)) != options.clips_sha256:
        raise WeightsError(f"{run}: was trained on clips with sha256 {options.clips_sha256}, these have {found}")
    if (run / METRICS).exists():
        raise WeightsError(f"{run}: this run is finished: wildpost models export {run} --name NAME --out FOLDER")
    return _train(listed, run, options, log, on_epoch)


def training_licences(listed: Sequence[ListedClip]) -> str:
    """Return the licences of the clips used for training and calibration, separated by semicolons."""
    return "; ".join(sorted({clip.licence for clip in listed if clip.split != "test"}))


def temporary_entry(name: str, path: Path) -> RegistryEntry:
    """Return a registry entry for a trained network that has no registry file yet."""
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


def _train(
    listed: Sequence[ListedClip], run: Path, options: SoundTrainOptions, log: Log, on_epoch: OnEpoch
) -> TrainingResult:
    training, validation = (_mixtures(listed, split, options, log) for split in ("train", "val"))
    log(f"training {options.epochs} epochs")
    network = train(training, options.epochs, options.seed, on_epoch, validation, run / CHECKPOINT)
    temperatures = fit_temperatures(network, validation)
    path, difference = _export(network, temperatures, run, options, listed, validation)
    test = [Recording(clip.path, clip.labels, clip.unsure) for clip in listed if clip.split == "test"]
    log(f"evaluating {len(test)} clips of the split test")
    detector = ThreatSounds(model="trained", registry={"trained": temporary_entry("trained", path)})
    scores, unusable = score_recordings(detector, test)
    by_label = dict(zip(LABELS, temperatures, strict=True))
    result = TrainingResult(path, by_label, difference, scores, unusable, label_figures(scores) if scores else [])
    _write_metrics(result, run / METRICS)
    return result


def _mixtures(listed: Sequence[ListedClip], split: str, options: SoundTrainOptions, log: Log) -> MixtureSet:
    """Read the clips of a split, and mix training windows from these clips and from synthetic clips."""
    chosen = [clip for clip in listed if clip.split == split]
    count, seed = (options.mixtures, options.seed)
    if split == "val":
        count, seed = max(64, options.mixtures // _VALIDATION), options.seed + 1
    log(f"reading {len(chosen)} clips of the split {split}, mixing {count} windows")
    clips = [*load_clips(chosen), *_synthetic_clips(count, seed)]
    try:
        return make_mixtures(clips, count, seed)
    except ValueError as error:  # all clips of a label are silent
        raise BadSources(f"split {split}: {error}") from error


def _synthetic_clips(mixtures: int, seed: int) -> list[TrainingClip]:
    count = max(10, mixtures // _SYNTHETIC)
    noises = round(count * _NOISES)
    return [*synthetic_noises(noises, seed), *synthetic_knocks(count - noises, seed)]


def _export(
    network: Any,
    temperatures: Sequence[float],
    run: Path,
    options: SoundTrainOptions,
    listed: Sequence[ListedClip],
    validation: MixtureSet,
) -> tuple[Path, float]:
    """Export a trained network as ONNX, and verify on validation mixtures that its outputs equal those of torch.

    Returns:
        The path of the file, and the largest difference of a confidence.

    Raises:
        WeightsError: the outputs differ.
    """
    path = run / NETWORK
    metadata = {"licences": training_licences(listed), "training": msgspec.json.encode(options).decode()}
    with warnings.catch_warnings():
        # Torch warns about its older exporter, which is used on purpose. The exported file is verified below.
        warnings.simplefilter("ignore")
        export_network(network, temperatures, str(path), metadata)
    few = MixtureSet(validation.spectrograms[:64], validation.labels[:64])
    plain = np.clip(predict_confidences(network, few).astype(np.float64), 1e-9, 1 - 1e-9)
    expected = 1 / (1 + np.exp(-np.log(plain / (1 - plain)) / np.array(temperatures)))
    session = load_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: few.spectrograms.astype(np.float32)})[0]
    difference = float(np.abs(expected - found).max())
    if not difference <= AGREEMENT:
        path.unlink()
        raise WeightsError(f"{path.name}: differs from torch by {difference:.2g}: expected at most {AGREEMENT:g}")
    return path, difference


def _write_metrics(result: TrainingResult, path: Path) -> None:
    labels = {
        figures.label: {
            "threshold": figures.threshold,
            "clips": figures.clips,
            "heard_in": figures.recalled,
            "hours_without": round(figures.hours, 4),
            "false_alarms": figures.alarms,
        }
        for figures in result.figures
    }
    content = {"temperatures": result.temperatures, "thresholds": dict(THRESHOLDS), "test": labels}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
