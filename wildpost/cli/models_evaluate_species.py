"""`wildpost models evaluate` for classifiers: measures the accuracy of a species classifier on labelled pictures."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.settings.loader import SettingsError

if TYPE_CHECKING:
    from contract import Location
    from models.evaluate.species import SpeciesEvaluation
    from models.registry import Registry

_CONFUSIONS = 15  # lines of the table


def run(arguments: argparse.Namespace, folder: Path, registry: "Registry") -> int:
    """Evaluate a classifier on labelled pictures and print the result."""
    from models.evaluate.species import evaluate_species
    from models.evaluate.species_labels import read_crops
    from models.factory import open_classifier, open_vision
    from models.species import SpeciesOptions

    options = SpeciesOptions(runtime=arguments.runtime)
    classifier = open_classifier(arguments.model, folder, options, registry, arguments.site_list)
    detector = None if arguments.crops else open_vision(arguments.detector, folder, registry=registry)
    unusable: dict[str, str] = {}

    def report(path: Path, reason: str) -> None:
        unusable[str(path)] = reason

    meanings = taxa(arguments.classes)
    crops = read_crops(
        arguments.data, classifier.framing, detector, report, arguments.split, meanings, _place(arguments)
    )
    result = evaluate_species(classifier, crops)
    if arguments.json:
        print(json.dumps({"model": arguments.model, "unusable": unusable, **_plain(result)}))
        return 0
    _print(result)
    for path, reason in unusable.items():
        print(f"{path}: {reason}", file=sys.stderr)
    return 0


def _place(arguments: argparse.Namespace) -> "Location | None":
    from contract import Location

    if (arguments.latitude is None) != (arguments.longitude is None):
        raise SettingsError("--latitude and --longitude: expected both or neither")
    if arguments.latitude is None:
        return None
    if not (-90 <= arguments.latitude <= 90 and -180 <= arguments.longitude <= 180):
        raise SettingsError(
            f"--latitude {arguments.latitude} --longitude {arguments.longitude}: expected -90 to 90 and -180 to 180"
        )
    return Location(latitude=arguments.latitude, longitude=arguments.longitude)


def taxa(words: list[str]) -> dict[str, str]:
    """Parse the values of the option ``--class NAME=TAXON`` into taxa by class name.

    Raises:
        BadLabels: a value does not have this form.
    """
    from models.evaluate.labels import BadLabels

    pairs = [word.partition("=") for word in words]
    for word, (name, _, taxon) in zip(words, pairs, strict=True):
        if not name or not taxon:
            raise BadLabels(f"--class {word}: expected NAME=TAXON, such as renard=Vulpes vulpes")
    return {name: taxon for name, _, taxon in pairs}


def _print(result: "SpeciesEvaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    from models.registry import RANKS

    table = Table("", "animals", "top-1", "answered", "correct", *RANKS, box=None)
    for one in result.taxa:
        name = f"{one.taxon.name or '(no animal)'}{'' if one.taxon.is_known or not one.taxon.name else ' (unknown)'}"
        ranks = [str(one.by_rank[rank] or "") for rank in RANKS]
        table.add_row(name, str(one.crops), str(one.top1), str(one.answered), str(one.correct), *ranks)
    Console(width=140).print(table)
    known = [one for one in result.taxa if one.taxon.is_known]
    crops, top1 = sum(one.crops for one in known), sum(one.top1 for one in known)
    answered, correct = sum(one.answered for one in known), sum(one.correct for one in known)
    if crops:
        print(f"known taxa: {crops} animals, top-1 {top1 / crops:.3f}, answered {answered}, correctly {correct}")
    if not math.isnan(result.open_set_threshold):
        print(f"80 % of them reach {result.open_set_threshold:.3f}", end="")
        print("" if math.isnan(result.unknown_rejected) else f"; {result.unknown_rejected:.0%} of other taxa do not")
    if not math.isnan(result.calibration_error):
        print(f"calibration error {result.calibration_error:.3f}")
    for name, best, count in result.confusions[:_CONFUSIONS]:
        print(f"  {name} taken for {best}: {count}")


def _plain(result: "SpeciesEvaluation") -> dict[str, object]:
    return {
        "animals": len(result.outcomes),
        "taxa": {
            one.taxon.name: {
                "known": one.taxon.is_known,
                "animals": one.crops,
                "top1": one.top1,
                "answered": one.answered,
                "correct": one.correct,
                "correct_by_rank": dict(one.by_rank),
            }
            for one in result.taxa
        },
        "open_set_threshold": _number(result.open_set_threshold),
        "unknown_rejected": _number(result.unknown_rejected),
        "calibration_error": _number(result.calibration_error),
        "confusions": [list(one) for one in result.confusions],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
