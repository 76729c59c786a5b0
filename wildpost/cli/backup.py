"""`wildpost backup`: writes all data of a running server into one file."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings

if TYPE_CHECKING:
    from wildpost.backup.archive import BackupTotals

SHOWN = 5
_NO_RECIPIENT = (
    "no backup was made: it would not be encrypted, and it contains positions and pictures. Create a key once with "
    "`wildpost backup-keygen FILE`, keep FILE away from this machine, and name the public key that it prints: "
    "--recipient age1..., or recipients in [backup] of the settings. For a plain file, say --unencrypted"
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost backup` to the argument parser."""
    about = "write all data of a server into one file while it runs"
    backup = commands.add_parser("backup", help=about, description=about)
    backup.add_argument("to", type=Path, help="the file to write, or a folder; the file name is then the time")
    backup.add_argument(
        "settings", type=Path, nargs="?", help="the settings file given to serve; it is included in the backup"
    )
    backup.add_argument("--broker", type=Path, metavar="FOLDER", help="include this folder of `wildpost broker init`")
    backup.add_argument("--data", type=Path, help="the server's data folder (default: WILDPOST_DATA)")
    secrecy = backup.add_mutually_exclusive_group()
    secrecy.add_argument(
        "--recipient",
        action="append",
        default=[],
        metavar="age1...",
        help="encrypt for this public key of `wildpost backup-keygen`; may be repeated (default: [backup] recipients)",
    )
    secrecy.add_argument(
        "--unencrypted", action="store_true", help="write a plain file, which anyone who gets it can read"
    )
    backup.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a backup and print its numbers of rows and media files; return 1 if media files are damaged or missing.

    All other data is backed up in that case too.
    """
    from wildpost.backup.create import BackupPlan, make_backup
    from wildpost.backup.errors import CannotBackUp
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    recipients = () if arguments.unencrypted else (*arguments.recipient, *settings.backup.recipients)
    if not recipients and not arguments.unencrypted:
        raise CannotBackUp(_NO_RECIPIENT)
    plan = BackupPlan(data_folder(arguments.data), settings, arguments.settings, arguments.broker, recipients)
    backup = make_backup(plan, arguments.to)
    print(f"{backup.path}: {backup.bytes / 1e6:.1f} MB, as of {backup.header.made_at}")
    print_totals(backup.totals)
    if arguments.unencrypted:
        print("not encrypted: anyone who gets this file can read the positions and pictures in it")
        if arguments.broker:
            print("broker: its private keys are included; the handed-over passwords are not")
    if arguments.settings is None:
        print("settings and rules: not included, because no settings file was given")
    return print_problems(backup.totals)


def print_totals(totals: "BackupTotals") -> None:
    """Print the numbers of database rows and media files in a backup."""
    for name, rows in totals.rows.items():
        print(f"{name}: {', '.join(f'{table} {count}' for table, count in rows.items() if count) or 'empty'}")
    print(f"media: {totals.media} files; the casebook refers to {totals.media_named}")


def print_problems(totals: "BackupTotals") -> int:
    """Print the number of missing media files and the names of damaged ones; return 1 if there are such files."""
    if totals.media_missing:
        print(f"wildpost: {totals.media_missing} media that the casebook refers to were missing", file=sys.stderr)
    if names := totals.media_damaged:
        shown = ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
        print(
            f"wildpost: {len(names)} media are damaged on the server's disk and were left out: {shown}", file=sys.stderr
        )
    return 1 if totals.media_missing or totals.media_damaged else 0
