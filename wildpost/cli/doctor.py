"""`wildpost doctor`: what is missing or broken on this machine, and the mend."""

import argparse
import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from wildpost.settings.data_folder import data_folder

COLOURS = {"good": "green", "missing": "yellow", "broken": "red"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost doctor`."""
    about = "name what is missing or broken on this machine, and the mend"
    doctor = commands.add_parser("doctor", help=about, description=about)
    doctor.add_argument("--data", type=Path, help="the data folder to look over (default: WILDPOST_DATA)")
    doctor.add_argument("--broker", type=_broker, metavar="HOST:PORT", help="an MQTT broker to reach")
    doctor.add_argument(
        "--server", type=Path, metavar="SETTINGS", help="server settings whose broker and stores to try"
    )
    doctor.set_defaults(run=run)


def _broker(text: str) -> tuple[str, int]:
    """Read HOST, HOST:PORT, or [IPv6]:PORT."""
    found = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?", text)
    if found is None or not 0 < int(found[2] or 1883) < 65536:
        raise argparse.ArgumentTypeError(f"{text}: expected HOST or HOST:PORT, such as broker.example:8883")
    return found[1].strip("[]"), int(found[2] or 1883)


def run(arguments: argparse.Namespace) -> int:
    """Print a line each; the exit code is 1 where something is broken."""
    from wildpost.doctor import look_over

    broken = False
    console = Console(soft_wrap=True, highlight=False)  # so that a path can be copied whole
    for finding in look_over(data_folder(arguments.data), arguments.broker, arguments.server):
        broken = broken or finding.state == "broken"
        state = f"[{COLOURS[finding.state]}]{finding.state:<8}[/]"
        console.print(f"{state} {escape(finding.what)}: {escape(finding.detail)}")
        if finding.mend:
            console.print(f"         -> {escape(finding.mend)}")
    return int(broken)
