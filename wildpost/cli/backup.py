"""`wildpost backup`: everything a server keeps becomes one file, while it runs."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings

if TYPE_CHECKING:
    from wildpost.backup.archive import BackupTotals

SHOWN = 5


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost backup`."""
    about = "put everything a server keeps into one file, while it runs"
    backup = commands.add_parser("backup", help=about, description=about)
    backup.add_argument("to", type=Path, help="the file to make, or a folder in which it is named by the time")
    backup.add_argument("settings", type=Path, nargs="?", help="as given to serve; kept in the backup too")
    backup.add_argument("--broker", type=Path, metavar="FOLDER", help="keep the files of `wildpost broker init` too")
    backup.add_argument("--data", type=Path, help="the server's data folder (default: WILDPOST_DATA)")
    backup.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Back up, and say what was kept; exit code 1 where media are damaged or missing, all else being kept."""
    from wildpost.backup.create import BackupPlan, make_backup
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    plan = BackupPlan(data_folder(arguments.data), settings, arguments.settings, arguments.broker)
    made = make_backup(plan, arguments.to)
    print(f"{made.path}: {made.bytes / 1e6:.1f} MB, as of {made.about.made_at}")
    show(made.totals)
    if arguments.settings is None:
        print("settings and rules: none were named, so none are in it")
    return complain(made.totals)


def show(totals: "BackupTotals") -> None:
    """Print what a backup holds."""
    for name, rows in totals.rows.items():
        print(f"{name}: {', '.join(f'{table} {count}' for table, count in rows.items() if count) or 'empty'}")
    print(f"media: {totals.media} files; the casebook names {totals.media_named}")


def complain(totals: "BackupTotals") -> int:
    """Print what was wrong when the backup was made."""
    if totals.media_missing:
        print(f"wildpost: {totals.media_missing} media that the casebook names were not there", file=sys.stderr)
    if names := totals.media_damaged:
        shown = ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
        print(
            f"wildpost: {len(names)} media are damaged on the server's disk and were left out: {shown}", file=sys.stderr
        )
    return 1 if totals.media_missing or totals.media_damaged else 0
