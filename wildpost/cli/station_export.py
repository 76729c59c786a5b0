"""`wildpost station export`: writes unsent messages to a USB stick and deletes those confirmed by receipts on it."""

import argparse
import json
import sys
from pathlib import Path

from contract.errors import InvalidInput
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings

MB = 1_000_000


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `export` to the parser of `wildpost station`."""
    about = "write unsent messages to a USB stick, and take in the receipts on it"
    export = actions.add_parser("export", help=about, description=about)
    export.add_argument("settings", type=Path, help="for example configs/station.toml")
    export.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="an existing folder on the stick")
    export.add_argument("--max-mb", type=int, default=256, metavar="N", help="largest size of one bundle: 10 to 4000")
    export.add_argument("--data", type=Path, help="where the outbox is (default: WILDPOST_DATA)")
    export.add_argument("--json", action="store_true", help="print one JSON line instead")
    export.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export unsent messages and print their number; return 1 if the stick is full or a problem occurred."""
    from contextlib import closing
    from importlib.metadata import version

    from edge.outbox.outbox import Outbox
    from edge.transport.bundle.exporter import BundleExporter, BundleOptions
    from wildpost.settings.station import StationSettings
    from wildpost.station.assembly import station_folder

    if not 10 <= arguments.max_mb <= 4000:
        raise InvalidInput(f"--max-mb {arguments.max_mb}: expected 10 to 4000")
    settings = load_settings(arguments.settings, StationSettings)
    place = station_folder(settings, data_folder(arguments.data)) / "outbox.sqlite"
    if not place.is_file():
        raise InvalidInput(f"{place}: no outbox; has station {settings.station.name!r} run with this data folder?")
    options = BundleOptions(folder=str(arguments.to), max_bytes=arguments.max_mb * MB)
    with closing(Outbox(place, settings.station.media_quota_bytes)) as outbox:
        report = BundleExporter(options, settings.station.name, outbox, version("wildpost")).export()
        waiting = len(outbox)
    if arguments.json:
        names = ("messages", "size_bytes", "already_there", "confirmed", "left_out", "problems")
        found = {name: getattr(report, name) for name in names}
        bundles = [str(path) for path in report.written]
        print(json.dumps({"station": settings.station.name, "bundles": bundles, **found, "waiting": waiting}))
    else:
        print(f"{report.confirmed} messages confirmed by receipts and deleted from the outbox")
        print(f"{report.messages} messages ({report.size_bytes / MB:.1f} MB) written in {len(report.written)} bundles")
        if report.already_there:
            print(f"{report.already_there} messages were on the stick already")
        print(f"{waiting} messages wait for a receipt; run `wildpost import bundle {arguments.to}` at the server")
    for problem in report.problems:
        print(f"wildpost: {problem}", file=sys.stderr)
    if report.left_out:
        print(f"wildpost: {arguments.to} is full: {report.left_out} messages are left out", file=sys.stderr)
    return 1 if report.left_out or report.problems else 0
