"""`wildpost import`: imports memory cards, and the message bundles that stations wrote to a USB stick."""

import argparse
import json
import sys
from pathlib import Path

from wildpost.cli import import_card
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost import` and its actions to the argument parser."""
    about = "take in memory cards, and messages that did not come through the broker"
    whole = commands.add_parser("import", help=about, description=about)
    kinds = whole.add_subparsers(required=True, metavar="KIND")
    about = "take in the bundles on a USB stick, and write receipts to it"
    bundle = kinds.add_parser("bundle", help=about, description=about)
    bundle.add_argument("path", type=Path, help="a bundle, or a folder of bundles on the stick")
    bundle.add_argument("settings", type=Path, nargs="?", help="as given to serve or ingest (default: all defaults)")
    bundle.add_argument("--data", type=Path, help="the server's data folder (default: WILDPOST_DATA)")
    bundle.add_argument("--json", action="store_true", help="print one JSON line instead")
    bundle.set_defaults(run=run)
    import_card.add(kinds)


def run(arguments: argparse.Namespace) -> int:
    """Import bundles and print the number of messages; return 1 if messages were refused or bundles had problems."""
    from wildpost.server.bundle_import import BundleImport
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    beside = arguments.settings.parent if arguments.settings else Path.cwd()
    importing = BundleImport(settings, data_folder(arguments.data), beside)
    received = refused = bundles = 0
    problems: list[str] = []
    for result in importing.run(arguments.path):
        bundles += 1
        received += len(result.entries)
        refused += result.refused
        problems += result.problems
        if not arguments.json:
            print(f"{result.bundle}: {len(result.entries)} messages received, {result.refused} refused", flush=True)
        for problem in result.problems:
            print(f"wildpost: {result.bundle}: {problem}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"bundles": bundles, "received": received, "refused": refused, "problems": problems}))
    else:
        print(f"{received} messages received; bring the stick back to the station and run `wildpost station export`")
    return 1 if refused or problems else 0
