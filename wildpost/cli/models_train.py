"""`wildpost models data` and `wildpost models train`: prepare labelled data and train a network."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import models_train_sound
from wildpost.cli.pickle_question import add_trust
from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from models.registry import Registry
    from models.train.options import TrainOptions
    from models.train.survey import Survey
    from models.train.training import Epoch
    from models.train.yolo_folder import YoloFolder

_NANO_SIZE = 416  # input side of wildpost-nano, in pixels


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the actions `data` and `train` to the parser of `wildpost models`."""
    _add_data(actions)
    _add_train(actions)


def _add_data(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "merge labelled pictures from several sources into one manifest, split by camera, and report its content"
    parser = actions.add_parser("data", help=about, description=about)
    parser.add_argument("dataset", type=Path, help="a TOML file of the source folders and the meaning of their labels")
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.jsonl, report.html, aside.csv")
    parser.add_argument("--teacher", metavar="MODEL", help="model that adds missing boxes to training pictures")
    parser.add_argument("--folder", type=Path, help="folder of weights (default: models in the data folder)")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")
    add_trust(parser)
    parser.set_defaults(run=run_data)


def _add_train(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "train a network on labelled pictures or on recordings of threat sounds; an interrupted run can be resumed"
    parser = actions.add_parser("train", help=about, description=about)
    parser.add_argument(
        "data", type=Path, help="the manifest.jsonl that `wildpost models data` wrote, or a TOML table of sounds"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints, curves, settings")
    parser.add_argument("--resume", action="store_true", help="resume the interrupted run in --out")
    parser.add_argument(
        "--base",
        help="initial weights: a model name, a .pt, .yaml or .onnx file, imagenet (for the network of wildpost-nano) "
        "or scratch (default)",
    )
    parser.add_argument("--epochs", type=int, help="passes over the data (default: 100 for pictures, 8 for sounds)")
    parser.add_argument("--minutes", type=float, help="stop after this many minutes, regardless of --epochs")
    parser.add_argument("--size", type=int, help="side of the network's input in pixels (default: 320)")
    parser.add_argument("--batch", type=int, help="pictures per step (default: 16)")
    parser.add_argument("--device", help="cpu, or the number of a GPU (default: a GPU if there is one)")
    parser.add_argument("--workers", type=int, help="processes that load pictures (default: 2)")
    parser.add_argument("--mixtures", type=int, help="training windows mixed from clips of sound (default: 16000)")
    parser.add_argument("--learning-rate", type=float, help="maximum learning rate (default: chosen by ultralytics)")
    parser.add_argument("--seed", type=int, help="random seed (default: 0)")
    parser.add_argument("--folder", type=Path, help="folder of weights (default: models in the data folder)")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")
    add_trust(parser)
    parser.set_defaults(run=run_train)


def run_data(arguments: argparse.Namespace) -> int:
    """Inspect all pictures of a dataset; write a manifest, a report and a list of unusable pictures."""
    import csv

    from models.train.dataset_settings import load_dataset
    from models.train.manifest import write_manifest
    from models.train.report import count_by_split, group_by_reason, write_report
    from models.train.survey import survey

    settings = load_dataset(arguments.dataset)
    shown = sys.stderr.isatty()
    found = survey(
        settings, lambda name, count: print(f"\r{name}: {count} pictures", end="", file=sys.stderr) if shown else None
    )
    if arguments.teacher is not None:
        found = _add_pseudo_labels(found, arguments)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(found.entries, out / "manifest.jsonl")
    with (out / "aside.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("source", "picture", "reason"))
        lines.writerows((one.source, one.path, one.reason) for one in found.excluded)
    report = write_report(found, out)
    for split, counted in count_by_split(found.entries).items():
        if counted["pictures"]:
            kinds = ", ".join(f"{counted[name]} {name}" for name in ("animal", "human", "vehicle", "empty", "infrared"))
            print(f"{split}: {counted['pictures']} pictures in {counted['groups']} groups: {kinds}")
    print(f"set aside: {len(found.excluded)}")
    for reason, pictures in group_by_reason(found.excluded).items():
        print(f"  {len(pictures)}: {reason}")
    print(f"{out / 'manifest.jsonl'}, {report}")
    return 0


def _add_pseudo_labels(found: "Survey", arguments: argparse.Namespace) -> "Survey":
    from models.cpu_cores import cores
    from models.factory import open_vision
    from models.registry import load_registry
    from models.train.survey import Survey
    from models.train.teacher import LABELLED_THRESHOLD, pseudo_label
    from models.vision import VisionOptions

    folder = arguments.folder or data_folder() / "models"
    options = VisionOptions(threshold=LABELLED_THRESHOLD, threads=1, at_once=cores())
    teacher = open_vision(arguments.teacher, folder, options, load_registry(*arguments.registry))
    shown = sys.stderr.isatty()
    entries, counts = pseudo_label(
        found.entries,
        teacher,
        lambda count: print(f"\rteacher: {count} pictures", end="", file=sys.stderr) if shown else None,
    )
    print(f"{arguments.teacher} added {counts['boxes']} boxes to {counts['pictures']} training pictures", end="")
    print(f"; in {counts['not_found']} pictures it did not find what a person had labelled")
    return Survey(tuple(entries), found.excluded)


def run_train(arguments: argparse.Namespace) -> int:
    """Start or resume the training of a network."""
    if arguments.data.suffix == models_train_sound.SUFFIX:
        return models_train_sound.run(arguments)
    from models.registry import WeightsError, load_registry
    from models.train.nano.base import is_nano_base
    from models.train.options import checked_options, read_options
    from models.train.training import SCRATCH, manifest_hash, resume, start

    out: Path = arguments.out
    if arguments.mixtures is not None:
        raise WeightsError(f"--mixtures is for sounds; {arguments.data} is a list of pictures")
    if arguments.resume:
        options = read_options(out)
        if options.network == "nano":
            return _resume_nano(arguments, options)
        folder = resume(arguments.data, out, _print_epoch)
    else:
        given = {
            "epochs": arguments.epochs,
            "minutes": arguments.minutes,
            "size_px": arguments.size,
            "batch": arguments.batch,
            "device": arguments.device,
            "workers": arguments.workers,
            "learning_rate": arguments.learning_rate,
            "seed": arguments.seed,
        }
        chosen: dict[str, object] = {name: value for name, value in given.items() if value is not None}
        chosen |= {"base": arguments.base or SCRATCH, "manifest_sha256": manifest_hash(arguments.data)}
        registry = load_registry(*arguments.registry)
        weights = arguments.folder or data_folder() / "models"
        if is_nano_base(str(chosen["base"]), registry, weights):
            return _start_nano(arguments, {"size_px": _NANO_SIZE, **chosen, "network": "nano"}, registry, weights)
        folder = start(arguments.data, out, checked_options(chosen), registry, weights, _print_epoch)
    _print_counts(folder)
    print(f"{out / 'weights' / 'best.pt'}; curves in {out / 'results.png'}")
    _print_next(out)
    return 0


def _start_nano(arguments: argparse.Namespace, chosen: dict[str, object], registry: "Registry", weights: Path) -> int:
    from models.train.nano.training import start
    from models.train.options import checked_options

    counts = start(arguments.data, arguments.out, checked_options(chosen), registry, weights, _print_epoch)
    print(f"trained on {counts['train']} pictures; evaluate it on the {counts['val']} pictures of the split val")
    _print_next(arguments.out)
    return 0


def _resume_nano(arguments: argparse.Namespace, options: "TrainOptions") -> int:
    from models.train.nano.training import resume
    from models.train.training import check_manifest

    check_manifest(arguments.data, arguments.out, options)
    print(f"trained on {resume(arguments.data, arguments.out, options, _print_epoch)} pictures")
    _print_next(arguments.out)
    return 0


def _print_next(out: Path) -> None:
    print(f"next: wildpost models export {out} --name NAME --out FOLDER")


def _print_epoch(epoch: "Epoch") -> None:
    losses = ", ".join(f"{name.strip('/')} {value:.3f}" for name, value in epoch.losses.items())
    precision = "" if epoch.map50 is None else f", mAP50 {epoch.map50:.3f}"
    print(f"epoch {epoch.number} of {epoch.of}: {losses}{precision}", flush=True)


def _print_counts(folder: "YoloFolder") -> None:
    counts = folder.counts
    print(f"trained on {counts['train']} pictures, selected the best epoch on {counts['val']}")
    if counts["without_boxes"]:
        print(f"not used: {counts['without_boxes']} pictures that have a label but no boxes")
    if counts["partly_known"]:
        print(f"in {counts['partly_known']} pictures not all kinds were labelled: other kinds count as background")
