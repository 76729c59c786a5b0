"""`wildpost models train` and `wildpost models export` for threat sounds."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.train.threat.fit import EpochLoss
    from models.train.threat.run import TrainingResult
    from models.train.threat.sources import ListedClip

SUFFIX = ".toml"  # of a table of sounds; a manifest of pictures ends in .jsonl
_TRAINING_OF_PICTURES = ("base", "minutes", "size", "batch", "device", "workers", "learning_rate")
_EXPORT_OF_PICTURES = {"size": "--size", "classes": "--class", "int8": "--int8", "as_is": "--as-is"}


def run(arguments: argparse.Namespace) -> int:
    """Train a network for threat sounds, or resume its training, and print its accuracy on the test split.

    Raises:
        BadSources: the table of sounds is not usable, or lacks clips of a label.
        WeightsError: an option applies to pictures only or is out of range, or the folder holds another run.
    """
    from models.registry import WeightsError
    from models.train.options import checked_sound_options
    from models.train.threat.sources import check_splits, clips_sha256, read_sources

    for name in _TRAINING_OF_PICTURES:
        if getattr(arguments, name) is not None:
            raise WeightsError(f"--{name.replace('_', '-')} is for pictures; {arguments.data} is a table of sounds")
    listed = read_sources(arguments.data)
    _print_counts(listed)
    check_splits(listed)
    given = {"epochs": arguments.epochs, "mixtures": arguments.mixtures, "seed": arguments.seed}
    chosen: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    options = checked_sound_options({**chosen, "clips_sha256": clips_sha256(listed)})
    from models.train.threat.network import build_network
    from models.train.threat.run import resume, start

    build_network()  # without torch this raises before a thousand clips are read

    out: Path = arguments.out
    trained = (
        resume(listed, out, _print_line, _print_epoch)
        if arguments.resume
        else start(listed, out, options, _print_line, _print_epoch)
    )
    _print_trained(trained)
    print(f"next: wildpost models export {out} --name NAME --out FOLDER")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Copy the network of a finished training run to the output folder and write its model registry file.

    Raises:
        WeightsError: an option applies to pictures only, or the run is not finished.
    """
    import shutil

    import msgspec

    from models.registry import ThreatFacts, WeightsError
    from models.threat import THRESHOLDS
    from models.train.entry_file import write_threat_entry
    from models.train.threat.run import METRICS, NETWORK

    for name, option in _EXPORT_OF_PICTURES.items():
        if getattr(arguments, name):
            raise WeightsError(f"{option} is for pictures; {arguments.source} is a run for threat sounds")
    source: Path = arguments.source
    if not (source / METRICS).is_file():
        raise WeightsError(f"{source}: this run is not finished: resume it with wildpost models train --resume")
    own = {} if arguments.threshold is None else dict.fromkeys(THRESHOLDS, arguments.threshold)
    try:
        thresholds = msgspec.convert({"thresholds": {**THRESHOLDS, **own}}, ThreatFacts).thresholds
    except msgspec.ValidationError as error:
        raise WeightsError(f"--threshold {arguments.threshold}: expected 0 to 1") from error
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{arguments.name}.onnx"
    shutil.copyfile(source / NETWORK, target)
    licences = _licences(target)
    version_and_licence = (arguments.weights_version, arguments.licence)
    note = f"Licences of the clips: {licences}."
    entry = write_threat_entry(arguments.name, *version_and_licence, target, thresholds, note)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB; {entry}")
    print(f"licences of the clips: {licences}")
    return 0


def _licences(path: Path) -> str:
    from models.runtime_imports import load_onnxruntime

    session = load_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return str(session.get_modelmeta().custom_metadata_map["licences"])


def _print_counts(listed: "Sequence[ListedClip]") -> None:
    """Print a table of the number of clips by label and split."""
    from rich.console import Console
    from rich.table import Table

    from models.train.threat.mixing import LABELS

    splits = ("train", "val", "test")
    counts: Counter[tuple[str, str]] = Counter(
        (label, one.split) for one in listed for label in one.labels or {"other"}
    )
    counts.update(("background", one.split) for one in listed if one.background)
    table = Table("clips", *splits, box=None)
    for label in (*LABELS, "other", "background"):
        table.add_row(label, *(str(counts[label, split]) for split in splits))
    Console(width=80).print(table)
    print(f"{len(listed)} clips of {len({one.recording for one in listed})} recordings", flush=True)


def _print_trained(trained: "TrainingResult") -> None:
    from wildpost.cli.models_evaluate_sound import print_figures

    fitted = ", ".join(f"{label} {value:g}" for label, value in trained.temperatures.items())
    print(f"temperatures, fitted on mixtures of the val split: {fitted}")
    print(f"{trained.path}: differs from torch by {trained.difference:.1g} at most")
    if trained.scores:
        print_figures(trained.scores, trained.unusable, trained.figures, {})
    else:
        print("the test split has no clip: nothing was measured")


def _print_line(text: str) -> None:
    print(text, flush=True)


def _print_epoch(epoch: "EpochLoss") -> None:
    val = "" if epoch.val_loss is None else f", on the val split {epoch.val_loss:.3f}"
    print(f"epoch {epoch.number} of {epoch.of}: loss {epoch.loss:.3f}{val}", flush=True)
