"""`wildpost models export`: exports a trained network to ONNX and writes its entry for the model registry."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import models_train_sound
from wildpost.cli.models_evaluate import class_meanings
from wildpost.cli.pickle_question import add_trust

if TYPE_CHECKING:
    from models.registry import VisionFacts

_THRESHOLD = 0.25
_CALIBRATION_MAX = 200  # pictures used to calibrate the quantisation


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `export` to the parser of `wildpost models`."""
    about = "export a trained model to ONNX with a registry file and compare its outputs with torch"
    parser = actions.add_parser("export", help=about, description=about)
    parser.add_argument("source", type=Path, help="folder of a training run, or a .pt file of ultralytics")
    parser.add_argument("--name", required=True, help="model name to use in settings")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.toml")
    parser.add_argument(
        "--size", type=int, help="side of the input in pixels (default: as in the run; 640 for a .pt file)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="lowest confidence to report (default: 0.25; for sounds, the thresholds of threat-sounds for each label)",
    )
    parser.add_argument(
        "--class", dest="classes", action="append", default=[], metavar="NAME=KIND", help="kind of a class name"
    )
    parser.add_argument("--weights-version", default="1", help="version of these weights, for messages (default: 1)")
    parser.add_argument("--licence", default="not stated", help="licence of these weights")
    parser.add_argument(
        "--int8", type=Path, metavar="DATA", help="also quantise to int8, with the val pictures of this manifest"
    )
    parser.add_argument("--as-is", action="store_true", help="register the .pt file itself; torch runs it")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")
    add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export a trained model to ONNX, quantise it if ``--int8`` is given, and write its model registry file."""
    from models.registry import load_registry
    from models.train.options import is_nano_run, is_sound_run

    if is_sound_run(arguments.source):
        return models_train_sound.export(arguments)
    from models.train.entry_file import write_entry
    from models.train.export import export_onnx, register_checkpoint

    if is_nano_run(arguments.source):
        return _export_nano(arguments)
    checkpoint, size_px = _checkpoint(arguments)
    registry = load_registry(*arguments.registry)
    meanings = class_meanings(arguments.classes)
    out: Path = arguments.out
    threshold = _THRESHOLD if arguments.threshold is None else arguments.threshold
    version_and_licence = (arguments.weights_version, arguments.licence)
    if arguments.as_is:
        exported = register_checkpoint(checkpoint, out / f"{arguments.name}.pt", size_px, meanings, registry, threshold)
        entry = write_entry(arguments.name, *version_and_licence, exported.path, exported.facts)
        print(f"{entry}: {exported.path.name} is run by torch")
        return 0
    exported = export_onnx(checkpoint, out / f"{arguments.name}.onnx", size_px, meanings, registry, threshold)
    entry = write_entry(arguments.name, *version_and_licence, exported.path, exported.facts)
    print(f"{exported.path}: differs from torch by {exported.difference:.1g} at most; {entry}")
    if arguments.int8 is not None:
        _quantise(arguments, exported.path, exported.facts)
    return 0


def _export_nano(arguments: argparse.Namespace) -> int:
    """Export a run of wildpost-nano's network, whose classes are fixed."""
    from models.registry import WeightsError
    from models.train.entry_file import write_entry
    from models.train.nano.onnx_file import export_run
    from models.train.options import read_options

    if arguments.as_is or arguments.classes:
        raise WeightsError("--as-is and --class are for networks of ultralytics; this run is exported to ONNX")
    threshold = _THRESHOLD if arguments.threshold is None else arguments.threshold
    size_px = arguments.size or read_options(arguments.source).size_px
    exported = export_run(arguments.source, arguments.out / f"{arguments.name}.onnx", size_px, threshold)
    entry = write_entry(arguments.name, arguments.weights_version, arguments.licence, exported.path, exported.facts)
    print(f"{exported.path}: differs from torch by {exported.difference:.1g} at most; {entry}")
    if arguments.int8 is not None:
        _quantise(arguments, exported.path, exported.facts)
    return 0


def _checkpoint(arguments: argparse.Namespace) -> tuple[Path, int]:
    from models.registry import WeightsError
    from models.train.options import RUN_FILE, read_options

    source: Path = arguments.source
    if (source / RUN_FILE).is_file():
        best = source / "weights" / "best.pt"
        if not best.is_file():
            raise WeightsError(f"{best}: no such checkpoint: the run has not finished an epoch yet")
        return best, arguments.size or read_options(source).size_px
    if source.suffix != ".pt" or not source.is_file():
        raise WeightsError(f"{source}: expected the folder of a training run, or a .pt file of ultralytics")
    return source, arguments.size or 640


def _quantise(arguments: argparse.Namespace, float_path: Path, facts: "VisionFacts") -> None:
    """Quantise an ONNX network to int8, and keep the int8 network if it loses little mAP50.

    One part of the val pictures calibrates the quantisation, the other part measures the loss.
    """
    from models.train.entry_file import write_entry
    from models.train.manifest import read_manifest, rows_of_split
    from models.train.quantise import MAX_LOSS, is_loss_acceptable, mean_precision, quantise, read_inputs

    pictures = rows_of_split(read_manifest(arguments.int8), "val")
    calibration = pictures[: min(_CALIBRATION_MAX, len(pictures) // 2)]
    evaluation = pictures[len(calibration) :]
    name = f"{arguments.name}-int8"
    target = quantise(float_path, float_path.with_name(f"{name}.onnx"), list(read_inputs(calibration, facts)))
    float_map50, int8_map50 = (mean_precision(path, facts, evaluation) for path in (float_path, target))
    scores = f"mAP50 {int8_map50:.4f} against {float_map50:.4f} on {len(evaluation)} val pictures"
    sizes = f"{target.stat().st_size / 1e6:.1f} MB against {float_path.stat().st_size / 1e6:.1f} MB"
    if not is_loss_acceptable(float_map50, int8_map50):
        target.unlink()
        print(f"{name}: {scores}: not kept, the loss is {MAX_LOSS:.0%} or more")
        return
    entry = write_entry(name, arguments.weights_version, arguments.licence, target, facts)
    print(f"{target}: {scores}; {sizes}; {entry}")
