"""`wildpost trends`: prints rates with effort and intervals, and counts of detections, as a table or as JSON."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.cli.server_request import ask_server, find_data, read_store

DAYS = 30
UNITS = ("day", "week", "month", "season", "year")
GROUPS = ("taxon", "station", "place", "habitat")
COMPARED_TO = ("last-independent-record", "last-record")
METHODS = ("poisson", "negative-binomial")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost trends` to the argument parser."""
    about = "rates of species per 100 sensor-days with intervals, and counts of detections"
    trends = commands.add_parser("trends", help=about, description=about)
    _add_selection(trends)
    trends.add_argument("--by", choices=UNITS, default="month", help="length of the periods (default: month)")
    trends.add_argument("--group-by", choices=GROUPS, default="taxon", help="what rows stand for (default: taxon)")
    trends.add_argument("--minutes", type=float, default=30, help="independence interval (default: 30)")
    trends.add_argument(
        "--compared-to",
        choices=COMPARED_TO,
        default=COMPARED_TO[0],
        help=f"the record that a record must be so much later than (default: {COMPARED_TO[0]})",
    )
    trends.add_argument("--interval", choices=METHODS, default="poisson", help="kind of interval (default: poisson)")
    trends.add_argument(
        "--min-confidence", type=float, default=0, help="leave out machine detections below this (default: 0)"
    )
    trends.add_argument("--compare-from", type=date.fromisoformat, metavar="DAY", help="first day of a second period")
    trends.add_argument("--compare-to", type=date.fromisoformat, metavar="DAY", help="last day of a second period")
    trends.add_argument(
        "--compare-station", action="append", default=[], metavar="NAME", help="station to compare with; repeatable"
    )
    trends.set_defaults(run=run)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that select days, stations, sensors and taxon, the output and the data folder."""
    parser.add_argument("--days", type=int, default=DAYS, help=f"number of days up to the last one (default: {DAYS})")
    add_days(parser)
    parser.add_argument("--station", action="append", default=[], help="only this station; repeatable")
    parser.add_argument("--sensor", action="append", default=[], help="only sensors of this name; repeatable")
    parser.add_argument("--taxon", default="", help="only this taxon, by any of its names")
    add_time_zone(parser, "days and hours")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_data(parser, or_demo=True)


def _selected_days(arguments: argparse.Namespace) -> tuple[date, date]:
    """Return the first and the last local day that the options select."""
    from pipelines.trends.counting import first_of

    last = arguments.last or datetime.now(ZoneInfo(arguments.time_zone)).date()
    return arguments.first or first_of(last, arguments.days), last


def run(arguments: argparse.Namespace) -> int:
    """Compute the trend of a period and print it as a table or as JSON."""
    first, last = _selected_days(arguments)
    folder = find_data(arguments.data)
    found = ask_server(folder, "api/trends", _query(arguments, first, last))
    if found is None:
        found = _read(folder, arguments, first, last)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print_tables(found, first, last)
    return 0


def _query(arguments: argparse.Namespace, first: date, last: date) -> list[tuple[str, str]]:
    query = [("from", first.isoformat()), ("to", last.isoformat()), ("taxon", arguments.taxon)]
    query += [("zone", arguments.time_zone)]
    query += [("station", name) for name in arguments.station]
    query += [("sensor", name) for name in arguments.sensor]
    query += [("by", arguments.by), ("group_by", arguments.group_by), ("minutes", str(arguments.minutes))]
    query += [("compared_to", arguments.compared_to), ("interval", arguments.interval)]
    query += [("min_confidence", str(arguments.min_confidence))]
    for name, day in (("compare_from", arguments.compare_from), ("compare_to", arguments.compare_to)):
        if day is not None:
            query.append((name, day.isoformat()))
    return query + [("compare_station", name) for name in arguments.compare_station]


def _read(folder: Path, arguments: argparse.Namespace, first: date, last: date) -> dict[str, Any]:
    """Compute the trend from the database file."""
    from pipelines.trends.answer import trend_answer
    from pipelines.trends.request import BadRequest, TrendRequest

    request = TrendRequest(
        first,
        last,
        ZoneInfo(arguments.time_zone),
        unit=arguments.by,
        taxon=arguments.taxon,
        stations=tuple(arguments.station),
        sensors=tuple(arguments.sensor),
        group_by=arguments.group_by,
        independence=timedelta(minutes=arguments.minutes),
        compared_to=arguments.compared_to.replace("-", " "),
        method=arguments.interval.replace("-", " "),
        min_confidence=arguments.min_confidence,
    )
    days = (arguments.compare_from, arguments.compare_to)
    if (days[0] is None) != (days[1] is None):
        raise BadRequest("--compare-from and --compare-to: expected both or none")
    with read_store(folder) as store:
        return trend_answer(store, request, days if days[0] else None, tuple(arguments.compare_station))


def _print_tables(found: dict[str, Any], first: date, last: date) -> None:
    if not found["taxa"] and not found["sensors"]:
        print("No detections and no effort on these days.")
        return
    console = Console()
    console.print(_rates(f"{first} to {last}, rate per 100 sensor-days", "period", found["periods"], "period"))
    rows = [{"name": one["name"], **one["total"]} for one in found["series"]]
    console.print(_rates(f"by {found['group_by']}", found["group_by"], rows, "name"))
    for reason in dict.fromkeys(row["not_known"] for row in [*found["periods"], *rows] if row["not_known"]):
        print(f"not known: {reason}")
    _print_comparison(found["comparison"])
    for change in found["changes"]:
        before = f" (before: {change['before']})" if change["before"] else ""
        print(f"{change['from']}: {change['kind']} {change['after']}{before} at {len(change['stations'])} stations")
    if found["simulated_stations"]:
        names = ", ".join(found["simulated_stations"])
        print(f"Simulated stations are counted, so these figures say nothing about nature: {names}.")
    if found["untrusted_times"]:
        print(f"{found['untrusted_times']} captures are left out because their time is not trusted.", file=sys.stderr)


def _rates(title: str, heading: str, rows: Sequence[dict[str, Any]], key: str) -> Table:
    table = Table(title=title)
    for name in (heading, "records", "sensor-days", "rate", "95 %", "share"):
        table.add_column(name, no_wrap=True, justify="left" if name == heading else "right", overflow="ellipsis")
    for row in rows:
        low, high = row["interval"] or (None, None)
        table.add_row(
            str(row[key] or "not known"),
            str(row["independent"]),
            "< 0.1" if 0 < (row["effort_days"] or 0) < 0.05 else _shown(row["effort_days"], 1, "-"),
            _shown(row["rate"], 2, "not known"),
            "-" if low is None else f"{low:.2f} - {high:.2f}",
            "-" if row["share"] is None else f"{100 * row['share']:.1f} %",
        )
    return table


def _print_comparison(found: dict[str, Any] | None) -> None:
    if found is None:
        return
    if found["p_value"] is None or found["ratio"] is None:
        print("comparison: not known, because one side has no record, or its effort is not known or too little")
        return
    low, high = (_shown(limit, 2, "infinite") for limit in found["interval"])
    print(f"comparison: ratio {found['ratio']:.2f} ({low} to {high}), p = {found['p_value']:.4g}, {found['test']}")


def _shown(value: float | None, digits: int, missing: str) -> str:
    return missing if value is None else f"{value:.{digits}f}"
