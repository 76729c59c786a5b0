"""`wildpost models evaluate` for threat sounds, such as gunshots: measures recall and false alarms per day."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.evaluate.sound import LabelFigures, LabelScores
    from models.registry import Registry

_FOR_PICTURES = {"split": "--split", "classes": "--class", "out": "--out"}


def run(arguments: argparse.Namespace, weights: Path, registry: "Registry") -> int:
    """Evaluate a threat sound model on folders of labelled recordings and print the result.

    Raises:
        BadLabels: the folders are not named after threats, or an option applies to pictures only.
        WeightsError: the weights are missing or their hash does not match.
    """
    from models.evaluate.labels import BadLabels
    from models.evaluate.sound import label_figures, read_recordings, score_recordings
    from models.factory import open_threat
    from models.threat import ThreatOptions

    for name, option in _FOR_PICTURES.items():
        if getattr(arguments, name):
            raise BadLabels(f"{option} is for pictures; {arguments.model} needs folders named after their sounds")
    recordings = read_recordings(arguments.data)
    shown = sys.stderr.isatty()
    options = ThreatOptions(second_opinion=arguments.second_opinion)
    detector = open_threat(arguments.model, weights, options, registry)
    heard, unusable = score_recordings(
        detector,
        recordings,
        lambda done: print(f"\r{done} of {len(recordings)} recordings", end="", file=sys.stderr) if shown else None,
    )
    found = label_figures(heard, detector.thresholds)
    suggestions = _suggestions(heard, found, arguments.false_alarms)
    if arguments.json:
        print(json.dumps(_plain(detector.model.name, heard, unusable, found, suggestions)))
    else:
        print_figures(heard, unusable, found, suggestions)
    return 0


def print_figures(
    heard: "list[LabelScores]",
    unusable: list[tuple[Path, str]],
    found: "list[LabelFigures]",
    suggestions: dict[str, dict[str, float | None]],
) -> None:
    """Print recall and false alarms of each label, then the unusable recordings and suggested thresholds."""
    from rich.console import Console
    from rich.table import Table

    headings = ("", "threshold", "recordings", "heard in", "hours without", "false alarms", "a day", "at most")
    table = Table(*headings, box=None)
    for one in found:
        counts = [str(one.clips or ""), str(one.recalled if one.clips else ""), f"{one.hours:.2f}", str(one.alarms)]
        table.add_row(one.label, f"{one.threshold:.2f}", *counts, _text(one.per_day), _text(one.per_day_upper_bound))
    Console(width=120).print(table)
    print("at most: 95 % upper confidence bound of false alarms a day")
    print(
        f"recordings: {len(heard)}, {sum(one.duration_s for one in heard) / 3600:.2f} hours; unusable: {len(unusable)}"
    )
    for path, reason in unusable:
        print(f"  {path}: {reason}")
    for label, suggestion in suggestions.items():
        for target, value in suggestion.items():
            print(f"{label}: {target}: " + ("not reachable" if value is None else f"threshold {value:.3f}"))


def _plain(
    model: str,
    heard: "list[LabelScores]",
    unusable: list[tuple[Path, str]],
    found: "list[LabelFigures]",
    suggestions: dict[str, dict[str, float | None]],
) -> dict[str, object]:
    return {
        "model": model,
        "recordings": len(heard),
        "hours": round(sum(one.duration_s for one in heard) / 3600, 4),
        "unusable": {str(path): reason for path, reason in unusable},
        "labels": {
            one.label: {
                "threshold": one.threshold,
                "recordings": one.clips,
                "heard_in": one.recalled,
                "hours_without": round(one.hours, 4),
                "false_alarms": one.alarms,
                "false_alarms_a_day": _number(one.per_day),
                "at_most_a_day": _number(one.per_day_upper_bound),
            }
            for one in found
        },
        "suggested_thresholds": suggestions,
    }


def _suggestions(
    heard: "list[LabelScores]", found: "list[LabelFigures]", per_day: float | None
) -> dict[str, dict[str, float | None]]:
    from models.evaluate.sound import threshold_for_alarms

    if per_day is None:
        return {}
    target = f"{per_day:g} false alarms a day"
    suggested: dict[str, dict[str, float | None]] = {}
    for one in found:
        if not one.hours:
            continue  # false alarms can only be measured on recordings without this sound
        value = threshold_for_alarms(heard, one.label, per_day)
        suggested[one.label] = {target: round(value, 4) if value <= 1 else None}
    return suggested


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
