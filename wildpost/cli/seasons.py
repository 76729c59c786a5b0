"""`wildpost seasons`: first and last record and peak week of a species in each season, and rates by moon phase."""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from contract.errors import InvalidInput
from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.cli.server_request import ask_server, find_data, read_store

_PHASES = (
    "new moon",
    "waxing crescent",
    "first quarter",
    "waxing gibbous",
    "full moon",
    "waning gibbous",
    "last quarter",
    "waning crescent",
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost seasons` to the argument parser."""
    about = "first and last record and peak week of a species in each season, with effort, and rates by moon phase"
    seasons = commands.add_parser("seasons", help=about, description=about)
    add_days(seasons, required=True)
    seasons.add_argument("--taxon", required=True, help="this species, by any of its names")
    seasons.add_argument("--station", action="append", default=[], help="only this station; repeatable")
    seasons.add_argument("--sensor", action="append", default=[], help="only sensors of this name; repeatable")
    seasons.add_argument("--minutes", type=float, default=30, help="independence interval (default: 30)")
    seasons.add_argument(
        "--begins-in", type=int, default=1, metavar="MONTH", help="month in which a season begins (default: 1)"
    )
    add_time_zone(seasons, "the days")
    seasons.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_data(seasons, or_demo=True)
    seasons.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compute the seasons and print them as tables or as JSON."""
    if not arguments.taxon.strip():
        raise InvalidInput("--taxon: expected the name of a species")
    folder = find_data(arguments.data)
    found = ask_server(folder, "api/seasons", _query(arguments))
    if found is None:
        found = _read(folder, arguments)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print_tables(found)
    return 0


def _query(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    query = [("from", arguments.first.isoformat()), ("to", arguments.last.isoformat()), ("taxon", arguments.taxon)]
    query += [("zone", arguments.time_zone), ("minutes", str(arguments.minutes))]
    query += [("begins_in", str(arguments.begins_in))]
    query += [("station", name) for name in arguments.station]
    return query + [("sensor", name) for name in arguments.sensor]


def _read(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Compute the seasons from the database file."""
    from ingest.store.taxon_key import taxon_key
    from pipelines.activity.season_report import plain_seasons, season_report
    from pipelines.trends.request import TrendRequest

    request = TrendRequest(
        arguments.first,
        arguments.last,
        ZoneInfo(arguments.time_zone),
        taxon=taxon_key(arguments.taxon, None),
        stations=tuple(arguments.station),
        sensors=tuple(arguments.sensor),
        independence=timedelta(minutes=arguments.minutes),
    )
    with read_store(folder) as store:
        return plain_seasons(season_report(store, request, arguments.begins_in))


def _print_tables(found: dict[str, Any]) -> None:
    console = Console()
    seasons = Table(title=f"{found['taxon']}, limits with 95 % confidence")
    for name in ("season", "first record", "last record", "peak week", "records"):
        seasons.add_column(name, no_wrap=True)
    for one in found["seasons"]:
        peak = one["peak_week"]
        seasons.add_row(
            one["season"] + ("" if one["whole"] else "\n(part)"),
            _end(one["first"], "not before"),
            _end(one["last"], "not after"),
            f"{peak['week']}\n{_rate(peak)}" if peak else "-",
            str(one["records"]),
        )
    console.print(seasons)
    phases = Table(title="by phase of the moon, rate per 100 sensor-days")
    for name in ("phase", "records", "sensor-days", "rate"):
        phases.add_column(name)
    for name, one in zip(_PHASES, found["moon_phases"], strict=True):
        effort = "-" if one["effort_days"] is None else f"{one['effort_days']:.1f}"
        phases.add_row(name, str(one["counted"] or 0), effort, _rate(one))
    console.print(phases)
    if found["untrusted_times"]:
        print(f"{found['untrusted_times']} captures are left out because their time is not trusted.")


def _end(found: dict[str, Any] | None, limit: str) -> str:
    if found is None:
        return "-"
    return f"{found['day']}\n{limit}\n{found['limit'] or 'not known'}"


def _rate(found: dict[str, Any]) -> str:
    if found["rate"] is None:
        return "not known"
    low, high = found["interval"]
    return f"{found['rate']:.2f} ({low:.2f} - {high:.2f})"
