"""`wildpost models export`: a trained network becomes a file that a station runs, and a name by which it is known."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import models_train_sound
from wildpost.cli.models_evaluate import class_meanings

if TYPE_CHECKING:
    from models.registry import VisionFacts

_THRESHOLD = 0.25
_CALIBRATING = 200  # pictures at most


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost models export`."""
    about = "export a trained model to ONNX with a registry file, and see that it says what torch says"
    parser = actions.add_parser("export", help=about, description=about)
    parser.add_argument("source", type=Path, help="the folder of a training run, or a .pt file of ultralytics")
    parser.add_argument("--name", required=True, help="by which settings will name the model")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.toml")
    parser.add_argument("--size", type=int, help="side of the input in pixels (default: the run's; 640 for a file)")
    parser.add_argument(
        "--threshold",
        type=float,
        help="lowest confidence that counts (default: 0.25; for sounds by label, as threat-sounds has them)",
    )
    parser.add_argument(
        "--class", dest="classes", action="append", default=[], metavar="NAME=KIND", help="what a class stands for"
    )
    parser.add_argument("--weights-version", default="1", help="of these weights, for messages (default: 1)")
    parser.add_argument("--licence", default="not stated", help="of these weights")
    parser.add_argument("--int8", type=Path, metavar="DATA", help="also quantise, with val pictures of a manifest")
    parser.add_argument("--as-is", action="store_true", help="register the .pt itself, to be run by torch")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="a registry file of your own")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export, quantise if asked to, and write the registry file."""
    from models.registry import load_registry
    from models.train.options import is_sound_run

    if is_sound_run(arguments.source):
        return models_train_sound.export(arguments)
    from models.train.entry_file import write_entry
    from models.train.export import export_onnx, register_checkpoint

    checkpoint, size_px = _checkpoint(arguments)
    registry = load_registry(*arguments.registry)
    meanings = class_meanings(arguments.classes)
    out: Path = arguments.out
    threshold = _THRESHOLD if arguments.threshold is None else arguments.threshold
    stated = (arguments.weights_version, arguments.licence)
    if arguments.as_is:
        made = register_checkpoint(checkpoint, out / f"{arguments.name}.pt", size_px, meanings, registry, threshold)
        print(f"{write_entry(arguments.name, *stated, made.path, made.facts)}: {made.path.name} is run by torch")
        return 0
    made = export_onnx(checkpoint, out / f"{arguments.name}.onnx", size_px, meanings, registry, threshold)
    entry = write_entry(arguments.name, *stated, made.path, made.facts)
    print(f"{made.path}: differs from torch by {made.difference:.1g} at most; {entry}")
    if arguments.int8 is not None:
        _quantise(arguments, made.path, made.facts)
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
    """Quantise with one part of the val pictures, judge by the other; keep the result only where it loses little."""
    from models.train.entry_file import write_entry
    from models.train.manifest import read_manifest, rows_of_split
    from models.train.quantise import MAX_LOSS, is_loss_acceptable, mean_precision, quantise, read_inputs

    pictures = rows_of_split(read_manifest(arguments.int8), "val")
    calibrating = pictures[: min(_CALIBRATING, len(pictures) // 2)]
    judging = pictures[len(calibrating) :]
    name = f"{arguments.name}-int8"
    target = quantise(float_path, float_path.with_name(f"{name}.onnx"), list(read_inputs(calibrating, facts)))
    whole, small = (mean_precision(path, facts, judging) for path in (float_path, target))
    words = f"mAP50 {small:.4f} against {whole:.4f} on {len(judging)} val pictures"
    sizes = f"{target.stat().st_size / 1e6:.1f} MB against {float_path.stat().st_size / 1e6:.1f} MB"
    if not is_loss_acceptable(whole, small):
        target.unlink()
        print(f"{name}: {words}: not kept, it loses {MAX_LOSS:.0%} or more")
        return
    entry = write_entry(name, arguments.weights_version, arguments.licence, target, facts)
    print(f"{target}: {words}; {sizes}; {entry}")
