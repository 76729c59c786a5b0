"""`wildpost fleet simulate`: simulates stations and sends what they would send, for training and load tests."""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from wildpost.settings.data_folder import data_folder
from wildpost.settings.examples import EXAMPLES
from wildpost.settings.loader import load_settings

if TYPE_CHECKING:
    from contract.mqtt import BrokerOptions
    from wildpost.settings.server import ServerSettings
    from wildpost.simulation.plan import FleetOptions
    from wildpost.simulation.station import SentMessage

_MAX_DAYS = 3_660
_MAX_SPEED = 100_000.0
_ZONE = "Asia/Shanghai"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost fleet` and its action `simulate` to the argument parser."""
    about = "simulated stations"
    actions = commands.add_parser("fleet", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    about = "simulate stations and send what they would send, marked as simulated, for training and load tests"
    simulate = actions.add_parser("simulate", help=about, description=about)
    simulate.add_argument("stations", type=int, metavar="N", help="number of stations")
    target = simulate.add_mutually_exclusive_group(required=True)
    target.add_argument("--broker", metavar="HOST[:PORT]", help="publish to this MQTT broker")
    target.add_argument("--bundle", type=Path, metavar="DIR", help="write bundles to this folder, as to a USB stick")
    target.add_argument(
        "--into", type=Path, metavar="DIR", help="store in this data folder of a server that does not run"
    )
    simulate.add_argument(
        "--credentials",
        type=Path,
        metavar="DIR",
        help="folder handover of `wildpost broker init`, with a folder for each station (default: no authentication)",
    )
    simulate.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="server settings with topic prefix, zones and rules (default: those of the example)",
    )
    simulate.add_argument("--name", default="sim", help="first part of the stations' names (default: sim)")
    simulate.add_argument("--days", type=int, default=1, help="number of simulated days (default: 1)")
    simulate.add_argument(
        "--from",
        dest="first",
        type=date.fromisoformat,
        metavar="DAY",
        help=f"first day, in {_ZONE} (default: so that the simulated time ends now; at --speed 1, it begins now)",
    )
    simulate.add_argument(
        "--speed",
        type=float,
        default=None,
        help="times real time; 0: as fast as possible (default: 1 for --broker, else 0)",
    )
    simulate.add_argument(
        "--activity", type=float, default=1.0, metavar="X", help="X times the usual number of captures (default: 1)"
    )
    simulate.add_argument(
        "--decide", action="store_true", help="with --into: record decisions on captures too, as reviewers would"
    )
    simulate.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    simulate.add_argument("--json", action="store_true", help="print one JSON line instead")
    simulate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate the stations, and print what was sent."""
    from ingest.rules.zones import read_zones
    from wildpost.settings.server import ServerSettings
    from wildpost.simulation.fleet import fleet_messages

    file = arguments.settings or EXAMPLES / "server.toml"
    settings = load_settings(file, ServerSettings)
    began = time.monotonic()
    options, speed = _options(arguments, settings)
    zones = read_zones(file.parent / settings.rules.zones) if settings.rules.zones else ()
    messages = fleet_messages(options, zones)
    if arguments.broker:
        found = _publish(arguments, options, messages, speed)
    elif arguments.bundle:
        from wildpost.simulation.bundles import write_bundles

        bundles, count = write_bundles(arguments.bundle, messages)
        found = {"messages": count, "bundles": [path.name for path in bundles]}
    else:
        found = _store(arguments, settings, file.parent, messages)
    found = {"stations": arguments.stations, "days": arguments.days, "from": options.start.isoformat(), **found}
    found["seconds"] = round(time.monotonic() - began, 1)
    if arguments.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def _options(arguments: argparse.Namespace, settings: "ServerSettings") -> "tuple[FleetOptions, float]":
    """Check the options, and return what is simulated, and at which speed.

    Raises:
        InvalidInput: a value is out of range, or does not fit another.
    """
    from wildpost.simulation.plan import MAX_STATIONS, FleetOptions, intervals_for, station_names

    for name, value, smallest, largest in (
        ("N", arguments.stations, 1, MAX_STATIONS),
        ("--days", arguments.days, 1, _MAX_DAYS),
        ("--speed", arguments.speed or 0, 0, _MAX_SPEED),
        ("--activity", arguments.activity, 0, 10_000),
    ):
        if not smallest <= value <= largest:
            raise InvalidInput(f"{name} {value}: expected {smallest} to {largest:g}")
    if not arguments.broker and (arguments.speed or arguments.credentials):
        raise InvalidInput("--speed and --credentials: expected together with --broker only")
    if arguments.decide and not arguments.into:
        raise InvalidInput("--decide: expected together with --into only")
    speed = arguments.speed if arguments.speed is not None else 1.0 if arguments.broker else 0.0
    hours = 24 * arguments.days
    if arguments.first:
        start = datetime.combine(arguments.first, datetime.min.time(), ZoneInfo(_ZONE)).astimezone(UTC)
    else:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        start = hour if speed == 1 else hour - timedelta(hours=hours)
    names = station_names(arguments.stations, arguments.name)
    options = FleetOptions(
        names,
        start,
        hours,
        arguments.seed,
        settings.broker.prefix,
        intervals_for(hours),
        arguments.activity,
    )
    return options, speed


def _publish(
    arguments: argparse.Namespace, options: "FleetOptions", messages: "Iterator[SentMessage]", speed: float
) -> dict[str, Any]:
    from wildpost.simulation.publishing import FleetPublisher

    publisher = FleetPublisher(_connections(arguments, options))
    try:
        count, size = publisher.publish(messages, speed, options.start, lambda: datetime.now(UTC))
    finally:
        publisher.close()
    return {"messages": count, "bytes": size}


def _connections(arguments: argparse.Namespace, options: "FleetOptions") -> "Mapping[str, BrokerOptions]":
    from contract.mqtt import BrokerOptions
    from wildpost.simulation.credentials import station_connections

    host, _, port = arguments.broker.rpartition(":") if ":" in arguments.broker else (arguments.broker, "", "")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InvalidInput(f"--broker {arguments.broker!r}: expected HOST or HOST:PORT")
    if arguments.credentials is None:
        plain = BrokerOptions(host=host, port=int(port or 1883), prefix=options.prefix)
        return dict.fromkeys(options.names, plain)
    return station_connections(arguments.credentials, options.names, host, int(port or 0))


def _store(
    arguments: argparse.Namespace, settings: "ServerSettings", beside: Path, messages: "Iterator[SentMessage]"
) -> dict[str, Any]:
    from wildpost.simulation.intake import write_into

    written = write_into(data_folder(arguments.into), settings, beside, messages, arguments.decide, arguments.seed)
    counts = written.counts
    return {
        "messages": counts.received,
        "stored": counts.stored,
        "captures": counts.events,
        "flagged": counts.flagged,
        "quarantined": counts.quarantined,
        "decisions": written.decisions,
    }


def _show(found: Mapping[str, Any]) -> None:
    print(f"{found['stations']} simulated stations, {found['days']} days from {found['from']}:")
    print(f"{found['messages']} messages in {found['seconds']} s")
    if "captures" in found:
        print(
            f"{found['captures']} captures stored, {found['flagged']} flags raised, {found['decisions']} decisions, "
            f"{found['quarantined']} unusable files reported"
        )
    for name in found.get("bundles", ()):
        print(f"  {name}")
