"""`wildpost populations`: occupancy and abundance of a species, or the number of species, from records and effort."""

import argparse
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from wildpost.cli.copied_stores import copied_stores
from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.cli.server_request import find_data

if TYPE_CHECKING:
    from pipelines.populations.species_history import HistoryOptions
    from pipelines.trends.request import TrendRequest

_MODEL_NAMES = {
    "occupancy": ("share of places where it lives", "of a species in an occasion at a place where it lives"),
    "Royle-Nichols": ("animals at a place", "of one animal in an occasion"),
    "N-mixture": ("animals at a place", "of one animal in an occasion"),
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost populations` to the argument parser."""
    about = "occupancy and abundance of a species with --taxon, else the number of species with the unseen ones"
    populations = commands.add_parser("populations", help=about, description=about)
    add_history_options(populations)
    populations.add_argument("--taxon", default="", help="this species, by any of its names")
    populations.add_argument(
        "--covariates", type=Path, metavar="FILE", help="CSV with a column place or station, and columns of numbers"
    )
    populations.add_argument(
        "--covariate",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column on which occupancy or abundance depends; repeatable",
    )
    populations.add_argument("--effort", action="store_true", help="let detection depend on the effort of an occasion")
    populations.add_argument("--json", action="store_true", help="print JSON instead of text")
    populations.set_defaults(run=run)


def add_history_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which records are used and how days are divided into occasions."""
    add_days(parser, required=True)
    parser.add_argument("--station", action="append", default=[], help="only this station; repeatable")
    parser.add_argument("--sensor", action="append", default=[], help="only sensors of this name; repeatable")
    add_time_zone(parser, "the days")
    parser.add_argument("--minutes", type=float, default=30, help="independence interval (default: 30)")
    parser.add_argument(
        "--occasion-days", type=int, default=7, metavar="N", help="days of a sampling occasion (default: 7)"
    )
    parser.add_argument(
        "--first-day",
        choices=("survey", "own"),
        default="survey",
        help="begin the first occasion on the first day with effort of all places, or of each place (default: survey)",
    )
    parser.add_argument(
        "--by", choices=("station", "place"), default="station", help="what a row stands for (default: station)"
    )
    add_data(parser, or_demo=True)


def history_request(arguments: argparse.Namespace) -> "tuple[TrendRequest, HistoryOptions]":
    """Return the request and the division into occasions that the options name."""
    from ingest.store.taxon_key import taxon_key
    from pipelines.populations.species_history import HistoryOptions
    from pipelines.trends.request import TrendRequest

    request = TrendRequest(
        arguments.first,
        arguments.last,
        ZoneInfo(arguments.time_zone),
        taxon=taxon_key(arguments.taxon, None) if arguments.taxon.strip() else "",
        stations=tuple(arguments.station),
        sensors=tuple(arguments.sensor),
        independence=timedelta(minutes=arguments.minutes),
    )
    return request, HistoryOptions(arguments.occasion_days, arguments.first_day, arguments.by)


def run(arguments: argparse.Namespace) -> int:
    """Fit the models or estimate the number of species, and print the result."""
    if bool(arguments.covariate) != (arguments.covariates is not None):
        raise InvalidInput("--covariates and --covariate: expected both or none")
    found = _species(arguments) if arguments.taxon.strip() else _survey(arguments)
    print(json.dumps(found, ensure_ascii=False, indent=1) if arguments.json else "\n".join(_lines(found)))
    return 0


def _species(arguments: argparse.Namespace) -> dict[str, Any]:
    from pipelines.populations.covariates import read_covariates
    from pipelines.populations.plain import plain_population
    from pipelines.populations.report import population_report
    from pipelines.populations.species_history import species_history

    request, options = history_request(arguments)
    table = read_covariates(arguments.covariates, arguments.covariate) if arguments.covariates else None
    with copied_stores(find_data(arguments.data)) as (store, _):
        species = species_history(store, request, options)
    return plain_population(population_report(species, table, arguments.covariate, arguments.effort))


def _survey(arguments: argparse.Namespace) -> dict[str, Any]:
    from pipelines.diversity.species_survey import species_survey
    from pipelines.populations.plain import plain_survey

    if arguments.covariates or arguments.effort:
        raise InvalidInput(
            "--covariates and --effort: expected --taxon too, since they belong to models of one species"
        )
    if arguments.by != "station":
        raise InvalidInput("--by place: expected --taxon too; the number of species is estimated from stations")
    with copied_stores(find_data(arguments.data)) as (store, _):
        return plain_survey(species_survey(store, *history_request(arguments)))


def _lines(found: dict[str, Any]) -> list[str]:
    return _population_lines(found) if "models" in found else _survey_lines(found)


def _population_lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['taxon']}, {found['from']} to {found['to']}: {found['records']} independent records at "
        f"{found['places_with_records']} of {found['places']} places, in {found['occasions']} occasions of "
        f"{found['occasion_days']} days with {found['effort_days']:.1f} sensor-days of effort",
        *_left_out(found, "records_without_effort", "records in occasions without known effort"),
        f"naive occupancy: {found['naive_occupancy']:.3f}; too low if occasions miss animals",
    ]
    lines += [
        f"covariate of each {one['of']}: {one['name']}, mean {one['mean']:.4g}, standard deviation "
        f"{one['standard_deviation']:.4g}; standardised"
        for one in found["covariates"]
    ]
    for model in found["models"]:
        state, detection = _MODEL_NAMES[model["model"]]
        if model["warnings"]:
            lines += [f"{model['model']}: no numbers", *(f"  {warning}" for warning in model["warnings"])]
            continue
        lines.append(f"{model['model']}: {state} {_estimate(model['state'])}")
        lines.append(f"  probability of detection {detection}: {_estimate(model['detection'])}")
        lines.append(
            f"  {model['places']} places, -log L {model['negative_log_likelihood']:.3f}, AIC {model['aic']:.2f}"
        )
        lines += _coefficients(model["state_coefficients"]) + _coefficients(model["detection_coefficients"])
    return lines


def _estimate(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:.3f} (95 % {low:.3f} to {high:.3f})"


def _coefficients(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each coefficient but the intercept, which the estimates say."""
    return [f"  {one['name']}: {one['value']:.3f} (standard error {one['standard_error']:.3f})" for one in found[1:]]


def _left_out(found: dict[str, Any], key: str, what: str) -> list[str]:
    return [
        f"left out: {found[name]} {text}"
        for name, text in (("untrusted_times", "captures whose time is not trusted"), (key, what))
        if found[name]
    ]


def _survey_lines(found: dict[str, Any]) -> list[str]:
    records = sum(one["records"] for one in found["species"])
    lines = [
        f"{found['from']} to {found['to']}: {len(found['species'])} wild species in {records} independent records, "
        f"{found['sampling_units']} sampling units",
        *_left_out(found, "domestic_records", "records of domestic animals"),
    ]
    if found["unidentified_records"]:
        lines.append(f"left out: {found['unidentified_records']} records of animals not identified to species")
    if found["coverage"] is not None:
        lines.append(f"sample coverage: {found['coverage']:.3f} of all animals are of a recorded species")
    for key, name in (("chao1", "Chao1, from records"), ("chao2", "Chao2, from sampling units")):
        if (one := found[key]) is not None:
            low, high = one["interval"]
            lines.append(f"{name}: {one['estimate']:.1f} species (95 % {low:.1f} to {high:.1f})")
    for key, name in (("shannon", "Shannon"), ("simpson", "Simpson")):
        if found[key] is not None:
            lines.append(f"effective number of species, {name}: {found[key]:.2f}")
    lines += [f"not given: {warning}" for warning in found["warnings"]]
    for key, name in (("rarefaction", "records"), ("accumulation", "sampling units")):
        if found[key]:
            points = (f"{one['size']}: {one['species']:.1f}" for one in found[key])
            lines.append(f"species by number of {name}: {', '.join(points)}")
    lines += [f"  {one['name']}: {one['records']}" for one in found["species"]]
    return lines
