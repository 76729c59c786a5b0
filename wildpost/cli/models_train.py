"""`wildpost models data, train`: from labelled pictures or recordings to a trained network."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import models_train_sound
from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from models.train.survey import Survey
    from models.train.training import Epoch
    from models.train.yolo_folder import YoloFolder


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register data and train."""
    _add_data(actions)
    _add_train(actions)


def _add_data(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "gather labelled pictures of several forms into one list, split by camera, and show what is in it"
    parser = actions.add_parser("data", help=about, description=about)
    parser.add_argument("dataset", type=Path, help="a TOML file that names folders and what their labels mean")
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.jsonl, report.html, aside.csv")
    parser.add_argument("--teacher", metavar="MODEL", help="draw boxes that are missing in training pictures with it")
    parser.add_argument("--folder", type=Path, help="where weights are kept (default: models in the data folder)")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="a registry file of your own")
    parser.set_defaults(run=run_data)


def _add_train(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "train a network on labelled pictures or on recordings of threat sounds, from checkpoint to checkpoint"
    parser = actions.add_parser("train", help=about, description=about)
    parser.add_argument(
        "data", type=Path, help="the manifest.jsonl that `wildpost models data` wrote, or a TOML table of sounds"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoints, curves, settings")
    parser.add_argument("--resume", action="store_true", help="take up the run in --out where it was interrupted")
    parser.add_argument("--base", help="a model's name, a .pt, .yaml or .onnx file, or scratch (default)")
    parser.add_argument(
        "--epochs", type=int, help="how often each picture or mixture is seen (default: 100 for pictures, 8 for sounds)"
    )
    parser.add_argument("--minutes", type=float, help="stop after so long, whatever the epochs")
    parser.add_argument("--size", type=int, help="side of the network's input in pixels (default: 320)")
    parser.add_argument("--batch", type=int, help="pictures a step (default: 16)")
    parser.add_argument("--device", help="cpu, or the number of a GPU (default: a GPU where there is one)")
    parser.add_argument("--workers", type=int, help="processes that prepare pictures (default: 2)")
    parser.add_argument("--mixtures", type=int, help="windows mixed out of the sounds' clips (default: 16000)")
    parser.add_argument("--learning-rate", type=float, help="at its highest (default: ultralytics chooses)")
    parser.add_argument("--seed", type=int, help="of all random choices (default: 0)")
    parser.add_argument("--folder", type=Path, help="where weights are kept (default: models in the data folder)")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="a registry file of your own")
    parser.set_defaults(run=run_train)


def run_data(arguments: argparse.Namespace) -> int:
    """Survey a dataset and write what was found."""
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
        found = _teach(found, arguments)
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
            words = ", ".join(f"{counted[name]} {name}" for name in ("animal", "human", "vehicle", "empty", "infrared"))
            print(f"{split}: {counted['pictures']} pictures in {counted['groups']} groups: {words}")
    print(f"set aside: {len(found.excluded)}")
    for words, of_it in group_by_reason(found.excluded).items():
        print(f"  {len(of_it)}: {words}")
    print(f"{out / 'manifest.jsonl'}, {report}")
    return 0


def _teach(found: "Survey", arguments: argparse.Namespace) -> "Survey":
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
    print(f"{arguments.teacher} drew {counts['boxes']} boxes in {counts['pictures']} training pictures", end="")
    print(f"; in {counts['not_found']} it did not find what a person saw")
    return Survey(tuple(entries), found.excluded)


def run_train(arguments: argparse.Namespace) -> int:
    """Begin or take up a run."""
    if arguments.data.suffix == models_train_sound.SUFFIX:
        return models_train_sound.run(arguments)
    from models.registry import WeightsError, load_registry
    from models.train.options import checked_options
    from models.train.training import SCRATCH, manifest_hash, resume, start

    out: Path = arguments.out
    if arguments.mixtures is not None:
        raise WeightsError(f"--mixtures is for sounds; {arguments.data} is a list of pictures")
    if arguments.resume:
        folder = resume(arguments.data, out, _say)
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
        folder = start(
            arguments.data, out, checked_options(chosen), registry, arguments.folder or data_folder() / "models", _say
        )
    _tell(folder)
    print(f"{out / 'weights' / 'best.pt'}; curves in {out / 'results.png'}")
    print(f"next: wildpost models export {out} --name NAME --out FOLDER")
    return 0


def _say(epoch: "Epoch") -> None:
    losses = ", ".join(f"{name.strip('/')} {value:.3f}" for name, value in epoch.losses.items())
    precision = "" if epoch.map50 is None else f", mAP50 {epoch.map50:.3f}"
    print(f"epoch {epoch.number} of {epoch.of}: {losses}{precision}", flush=True)


def _tell(folder: "YoloFolder") -> None:
    counts = folder.counts
    print(f"learnt from {counts['train']} pictures, chose by {counts['val']}")
    if counts["without_boxes"]:
        print(f"not used: {counts['without_boxes']} pictures that are labelled only as a whole")
    if counts["partly_known"]:
        print(f"in {counts['partly_known']} pictures not all kinds were looked for: others in them count as background")
