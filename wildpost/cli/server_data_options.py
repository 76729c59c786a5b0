"""Options of the commands that read a server's data: its folder, local days and a time zone."""

import argparse
from datetime import date
from pathlib import Path

_TIME_ZONE = "Asia/Shanghai"


def add_data(parser: argparse.ArgumentParser, *, or_demo: bool = False) -> None:
    """Add the option ``--data``; ``or_demo``: the command uses ``find_data``, which may find the folder of the demo."""
    default = "WILDPOST_DATA, else the demo's if there is one" if or_demo else "WILDPOST_DATA"
    parser.add_argument("--data", type=Path, help=f"data folder of the server (default: {default})")


def add_days(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add the options ``--from`` and ``--to``, stored as ``first`` and ``last``."""
    for option, name in (("--from", "first"), ("--to", "last")):
        parser.add_argument(
            option, dest=name, type=date.fromisoformat, required=required, metavar="DAY", help=f"{name} local day"
        )


def add_time_zone(parser: argparse.ArgumentParser, of: str) -> None:
    """Add the option ``--time-zone``; ``of`` says what is in that time zone."""
    parser.add_argument("--time-zone", default=_TIME_ZONE, help=f"time zone of {of} (default: {_TIME_ZONE})")
