"""`wildpost doctor`: what is missing or broken on this machine, and the mend."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wildpost.data_folder import data_folder
from wildpost.doctor import look_over

COLOURS = {"good": "green", "missing": "yellow", "broken": "red"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost doctor`."""
    about = "name what is missing or broken on this machine, and the mend"
    doctor = commands.add_parser("doctor", help=about, description=about)
    doctor.add_argument("--data", type=Path, help="the data folder to look over (default: WILDPOST_DATA)")
    doctor.add_argument("--broker", metavar="HOST:PORT", help="an MQTT broker to reach")
    doctor.add_argument("--server", type=Path, metavar="SETTINGS", help="server settings whose store to open")
    doctor.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a table; the exit code is 1 where something is broken."""
    host, _, port = (arguments.broker or "").partition(":")
    broken = False
    table = Table("", "what", "found", "mend")
    folder = data_folder(arguments.data)
    for finding in look_over(folder, (host, int(port or 1883)) if host else None, arguments.server):
        broken = broken or finding.state == "broken"
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(state, finding.what, finding.detail, finding.mend)
    Console().print(table)
    return int(broken)
