"""`wildpost doctor`: reports missing or broken parts of an installation and how to fix them."""

import argparse
import contextlib
import importlib.util
import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from contract.redaction import Redaction
from wildpost.settings.data_folder import data_folder
from wildpost.settings.secret_values import redaction_of

COLOURS = {"good": "green", "missing": "yellow", "broken": "red"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost doctor` to the argument parser."""
    about = "report missing or broken parts of this installation and how to fix them"
    doctor = commands.add_parser("doctor", help=about, description=about)
    doctor.add_argument("--data", type=Path, help="data folder to check (default: WILDPOST_DATA)")
    doctor.add_argument("--broker", type=_broker, metavar="HOST:PORT", help="MQTT broker to connect to")
    doctor.add_argument(
        "--server", type=Path, metavar="SETTINGS", help="server settings whose broker and stores to check"
    )
    doctor.set_defaults(run=run)


def _broker(text: str) -> tuple[str, int]:
    """Parse a broker address, HOST, HOST:PORT or [IPv6]:PORT, into host and port."""
    found = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?", text)
    if found is None or not 0 < int(found[2] or 1883) < 65536:
        raise argparse.ArgumentTypeError(f"{text}: expected HOST or HOST:PORT, such as broker.example:8883")
    return found[1].strip("[]"), int(found[2] or 1883)


def _redaction(server: Path | None) -> Redaction:
    from wildpost.settings.loader import SettingsError, load_settings

    if server is not None and importlib.util.find_spec("duckdb"):  # the settings need packages that a station lacks
        from wildpost.settings.server import ServerSettings

        with contextlib.suppress(SettingsError):  # reported as a finding
            return redaction_of(load_settings(server, ServerSettings))
    return redaction_of()


def run(arguments: argparse.Namespace) -> int:
    """Check the installation and print one line for each check; return 1 if a part is broken."""
    from wildpost.doctor import diagnose

    broken = False
    redact = _redaction(arguments.server)
    console = Console(soft_wrap=True, highlight=False)  # no line breaks inside a path, so that it can be copied
    for diagnosis in diagnose(data_folder(arguments.data), arguments.broker, arguments.server):
        broken = broken or diagnosis.state == "broken"
        state = f"[{COLOURS[diagnosis.state]}]{diagnosis.state:<8}[/]"
        console.print(f"{state} {escape(diagnosis.subject)}: {escape(redact(diagnosis.detail))}")
        if diagnosis.remedy:
            console.print(f"         -> {escape(diagnosis.remedy)}")
    return int(broken)
