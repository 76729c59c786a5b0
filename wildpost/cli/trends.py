"""`wildpost trends`: prints counts of detections by day and by hour of the day, as a table or as JSON."""

import argparse
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from contract.errors import WildpostError
from wildpost.settings.data_folder import named_folder

DAYS = 30


class CannotCount(WildpostError):
    """No detection database was found, or the server refused the request; the message says why."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost trends` to the argument parser."""
    about = "count detections by day and by hour of the day"
    trends = commands.add_parser("trends", help=about, description=about)
    trends.add_argument("--days", type=int, default=DAYS, help=f"number of days up to the last one (default: {DAYS})")
    trends.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first local day")
    trends.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last local day")
    trends.add_argument("--station", default="", help="only this station")
    trends.add_argument("--taxon", default="", help="only this taxon, by scientific name or label")
    trends.add_argument(
        "--time-zone", default="Asia/Shanghai", help="time zone of days and hours (default: Asia/Shanghai)"
    )
    trends.add_argument("--json", action="store_true", help="print JSON instead of a table")
    trends.add_argument("--data", type=Path, help="data folder of the server (default: WILDPOST_DATA)")
    trends.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Count the detections of a period and print the counts as a table or as JSON."""
    from pipelines.trends.counting import first_of

    zone = ZoneInfo(arguments.time_zone)
    last = arguments.last or datetime.now(zone).date()
    first = arguments.first or first_of(last, arguments.days)
    counted = count(named_folder(arguments.data), first, last, zone, arguments.station, arguments.taxon)
    if arguments.json:
        print(json.dumps(counted, ensure_ascii=False))
    else:
        _print_table(counted, first, last)
    return 0


def count(folder: Path, first: date, last: date, zone: ZoneInfo, station: str, taxon: str) -> dict[str, Any]:
    """Request detection counts from the running server, or count in the database file if no server runs.

    Raises:
        CannotCount: there is no database in the folder, or the server refused the request.
        StoreUnavailable: the database cannot be read, and no server answers.
        BadPeriod: the period is not valid.
    """
    from ingest.store.duckdb.store import DuckDbStore
    from pipelines.trends.counting import count_trends
    from pipelines.trends.effort import with_effort

    server = folder / "server.json"
    if server.exists():
        query = {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "station": station,
            "taxon": taxon,
            "zone": zone.key,
        }
        try:
            return _request_trends(json.loads(server.read_text())["url"], query)
        except urllib.error.HTTPError as refused:
            with refused:
                raise CannotCount(json.load(refused).get("error", str(refused))) from refused
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            pass  # the server was killed and left server.json behind: the database is not locked
    path = folder / "detections.duckdb"
    if not path.exists():
        raise CannotCount(f"{path}: no such database; name the server's data folder with --data DIR")
    store = DuckDbStore(path, read_only=True)
    try:
        counted = count_trends(store, first, last, zone, _filter(station), _filter(taxon))
        return with_effort(counted, store, _filter(station)).plain()
    finally:
        store.close()


def _filter(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _request_trends(url: str, query: dict[str, str]) -> dict[str, Any]:
    address = f"{url}api/trends?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(address, headers={"Accept": "application/json"})  # noqa: S310, our own server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        counted: dict[str, Any] = json.load(answer)
    return counted


def _print_table(counted: dict[str, Any], first: date, last: date) -> None:
    table = Table(title=f"{first} to {last}")
    for name in ("taxon", "type", "detections", "captures", "busiest hour", "by day"):
        table.add_column(name, no_wrap=True, overflow="ellipsis" if name == "taxon" else "crop")
    for one in counted["taxa"]:
        most = max(one["by_hour"])
        busiest = f"{one['by_hour'].index(most):02}:00" if most else "unknown"
        row = (one["taxon"], one["observation_type"], str(one["detections"]), str(one["events"]))
        table.add_row(*row, busiest, _bars(one["by_day"]))
    Console().print(table)
    if not counted["taxa"]:
        print("No detections on these days.")
    # A server of an earlier version does not say it.
    if unknown := sum(one.get("hour_unknown", 0) for one in counted["taxa"]):
        print(f"{unknown} detections have no known hour (wrong clock or time of copying); no hour counts them.")


def _bars(values: Sequence[int], width: int = 20) -> str:
    """Draw counts as a bar chart of at most ``width`` block characters in one line.

    If there are more counts than characters, each character shows the sum of several days.
    """
    size = -(-len(values) // width)
    sums = [sum(values[start : start + size]) for start in range(0, len(values), size)]
    highest = max(sums) or 1
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * value // highest)] for value in sums)
