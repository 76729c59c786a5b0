"""`wildpost models evaluate`: measures the accuracy of a model on labelled pictures or recordings."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import models_evaluate_sound, models_evaluate_species
from wildpost.cli.pickle_question import add_trust
from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from models.evaluate.labels import Kind
    from models.evaluate.vision import Evaluation, KindFigures, Threshold
    from models.registry import RegistryEntry

_LOWEST = 0.01  # detection threshold during evaluation, low enough to cover the whole precision-recall curve


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `evaluate` to the parser of `wildpost models`."""
    about = "measure a model on labelled pictures or recordings and suggest thresholds"
    parser = actions.add_parser("evaluate", help=about, description=about)
    parser.add_argument("model", help="model name from `wildpost models list`")
    parser.add_argument(
        "data",
        type=Path,
        help="a .jsonl manifest, a YOLO data.yaml, or folders named after their content",
    )
    parser.add_argument("--split", help="use only this split of the data: train, val or test")
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME=KIND",
        help="kind of a class name; for a classifier, its taxon",
    )
    parser.add_argument(
        "--detector", default="wildpost-nano", help="finds the animals for a classifier (default: wildpost-nano)"
    )
    parser.add_argument("--crops", action="store_true", help="for a classifier: the pictures are cut-out animals")
    parser.add_argument("--site-list", type=Path, metavar="FILE", help="for a classifier: list of the site's species")
    parser.add_argument("--latitude", type=float, help="for a classifier: place of the pictures")
    parser.add_argument("--longitude", type=float, help="see --latitude")
    parser.add_argument(
        "--precision", type=_fraction, default=0.9, help="suggest thresholds for this precision (default: 0.9)"
    )
    parser.add_argument("--false-alarms", type=float, help="suggest thresholds for this many false alarms a day")
    parser.add_argument(
        "--pictures-per-day", type=float, default=200, help="pictures that a station takes per day (default: 200)"
    )
    parser.add_argument("--second-opinion", action="store_true", help="confirm shots and saws with YAMNet")
    parser.add_argument("--runtime", choices=["openvino", "onnxruntime"], default="openvino", help="default: openvino")
    parser.add_argument(
        "--out", type=Path, help="folder for figures of precision-recall, reliability and the worst mistakes"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--folder", type=Path, help="folder of weights (default: models in the data folder)")
    parser.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")
    add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate a model on labelled pictures or recordings and print the result."""
    from models.cpu_cores import cores
    from models.evaluate.labels import read_labels
    from models.evaluate.vision import evaluate
    from models.factory import open_vision
    from models.registry import entry_named, load_registry
    from models.vision import VisionOptions

    registry = load_registry(*arguments.registry)
    folder = arguments.folder or data_folder() / "models"
    kind = entry_named(arguments.model, registry).kind
    if kind == "threat":
        return models_evaluate_sound.run(arguments, folder, registry)
    if kind == "species":
        return models_evaluate_species.run(arguments, folder, registry)
    labelled = read_labels(arguments.data, arguments.split, class_meanings(arguments.classes))
    options = VisionOptions(threshold=_LOWEST, runtime=arguments.runtime, threads=1, at_once=cores())
    detector = open_vision(arguments.model, folder, options, registry)
    entry = entry_named(arguments.model, registry)

    def threshold(kind: "Kind") -> float:
        return _threshold(entry, kind)

    shown = sys.stderr.isatty()
    result = evaluate(
        detector,
        labelled,
        threshold,
        lambda done: print(f"\r{done} of {len(labelled)} pictures", end="", file=sys.stderr) if shown else None,
    )
    if arguments.json:
        print(json.dumps(_plain(result, threshold, arguments)))
    else:
        _print(result, threshold, arguments)
    if arguments.out is not None:
        _draw(result, arguments.out)
    return 0


def _print(result: "Evaluation", threshold: "Threshold", arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "boxes", "AP50", "threshold", "precision", "recall", "whole pictures", "detected in", box=None)
    for one in result.kinds:
        limit = threshold(one.kind)
        figures = [_text(one.ap50), f"{limit:.2f}", _text(one.precision), _text(one.recall)]
        table.add_row(one.kind, str(one.truths), *figures, str(one.shown or ""), str(one.seen if one.shown else ""))
    console = Console(soft_wrap=True)
    console.print(table)
    boxes = "no labelled boxes to compare with" if math.isnan(result.map50) else f"mAP50 {_text(result.map50)}"
    print(f"{boxes}, over {len(result.pictures)} pictures", end="")
    print(f"; {len(result.unusable)} could not be used" if result.unusable else "")
    for path, reason in result.unusable:
        print(f"  {path}: {reason}")
    if result.blank:
        rate = 1000 * result.blank_alarms / result.blank
        print(f"empty pictures: {result.blank}, false alarms in {result.blank_alarms}: {rate:.0f} per 1,000")
    if not math.isnan(result.calibration_error):
        print(f"calibration error {_text(result.calibration_error)}; best temperature {result.temperature:.2f}")
    for kind, suggestion in _suggestions(result, arguments).items():
        for target, value in suggestion.items():
            result_text = "not reachable" if value is None else f"threshold {value:.2f}"
            print(f"{kind}: {target}: {result_text}")


def _plain(result: "Evaluation", threshold: "Threshold", arguments: argparse.Namespace) -> dict[str, object]:
    def figures(one: "KindFigures") -> dict[str, object]:
        return {
            "boxes": one.truths,
            "ap50": _number(one.ap50),
            "threshold": threshold(one.kind),
            "precision": _number(one.precision),
            "recall": _number(one.recall),
            "whole_pictures": one.shown,
            "seen_in": one.seen,
        }

    return {
        "model": arguments.model,
        "pictures": len(result.pictures),
        "unusable": {str(path): reason for path, reason in result.unusable},
        "map50": _number(result.map50),
        "kinds": {one.kind: figures(one) for one in result.kinds},
        "empty_pictures": result.blank,
        "empty_with_a_find": result.blank_alarms,
        "calibration_error": _number(result.calibration_error),
        "temperature": result.temperature,
        "suggested_thresholds": _suggestions(result, arguments),
    }


def _suggestions(result: "Evaluation", arguments: argparse.Namespace) -> dict[str, dict[str, float | None]]:
    from models.evaluate.curves import threshold_for_false_alarms, threshold_for_precision
    from models.evaluate.matching import count_outcomes

    suggested: dict[str, dict[str, float | None]] = {}
    for one in result.kinds:
        if not one.truths:
            continue
        counted = count_outcomes(result.pictures, one.kind)
        targets = {f"precision {arguments.precision:g}": threshold_for_precision(counted, arguments.precision)}
        if arguments.false_alarms is not None:
            allowed = arguments.false_alarms * len(result.pictures) / arguments.pictures_per_day
            target = f"{arguments.false_alarms:g} false alarms in {arguments.pictures_per_day:g} pictures a day"
            targets[target] = threshold_for_false_alarms(counted.detections, allowed)
        suggested[one.kind] = targets
    return suggested


def _draw(result: "Evaluation", folder: Path) -> None:
    from models.evaluate.drawing import (
        draw_precision_recall,
        draw_reliability,
        draw_sheet,
        worst_false_alarms,
        worst_misses,
    )

    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "precision_recall.png": draw_precision_recall(result.pictures),
        "reliability.png": draw_reliability(result.pictures),
        "worst_misses.png": draw_sheet(worst_misses(result.pictures)),
        "worst_false_alarms.png": draw_sheet(worst_false_alarms(result.pictures)),
    }
    for name, content in figures.items():
        (folder / name).write_bytes(content)
    print(f"figures written to {folder}: {', '.join(figures)}", file=sys.stderr)


def _threshold(entry: "RegistryEntry", kind: "Kind") -> float:
    """Return the lowest confidence threshold of a vision model for one kind of object, such as "animal".

    If no label of that kind has its own threshold, this is the model's general threshold.
    """
    if entry.vision is None:
        raise ValueError(f"{entry.name} is of kind {entry.kind!r}: expected a vision model")
    labels = {meaning.label for meaning in entry.vision.meanings.values() if meaning.observation_type == kind}
    own = [entry.vision.thresholds[label] for label in labels if label in entry.vision.thresholds]
    return min(own, default=entry.vision.threshold)


def class_meanings(words: list[str]) -> "dict[str, Kind]":
    """Parse the values of the option ``--class NAME=KIND`` into kinds by class name.

    Raises:
        BadLabels: a value does not have this form.
    """
    from models.evaluate.labels import KINDS, BadLabels

    result: dict[str, Kind] = {}
    for word in words:
        name, _, kind = word.partition("=")
        if kind not in KINDS:
            raise BadLabels(f"--class {word}: expected NAME=animal, NAME=human or NAME=vehicle")
        result[name] = kind
    return result


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0 and at most 1")
    return value


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
