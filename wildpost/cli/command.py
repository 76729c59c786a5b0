"""`wildpost command`: tells a station something, and waits for its answer."""

import argparse
import getpass
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from contract.errors import InvalidInput
from wildpost.cli.server_data_options import add_data

if TYPE_CHECKING:
    from casebook.station_commands import StationCommand, StationCommands
    from contract import Event

HOURS, MOST_HOURS = 24, 24 * 90
WORDS = ("status", "retry", "restart-capture", "media")
_POLL_S = 0.5


class CommandError(InvalidInput):
    """An argument of a command cannot be used; the message names it and what was expected."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost command` to the argument parser."""
    about = "tell a station something: the server signs and sends it, and records the answer"
    parser = commands.add_parser("command", help=about, description=about)
    parser.add_argument("station", help="name of the station")
    parser.add_argument("kind", choices=WORDS, help="what it is told; media: send the original of a capture")
    parser.add_argument("event", nargs="?", default="", help="with media: id of the event")
    parser.add_argument("--as", dest="name", metavar="NAME", help="who asks, for the record (default: the login name)")
    parser.add_argument(
        "--within", type=_hours, default=HOURS, metavar="HOURS", help=f"expires after this time (default: {HOURS})"
    )
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the answer, and print it")
    add_casebook(parser)
    parser.set_defaults(run=run)


def add_casebook(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the casebook is."""
    add_data(parser)
    parser.add_argument("--settings", type=Path, help="settings of the server, if the casebook is in PostgreSQL")


def run(arguments: argparse.Namespace) -> int:
    """Record a command, and wait for the answer if that is asked for; return 1 if it was not done."""
    name = arguments.name or getpass.getuser()
    if (arguments.kind == "media") != bool(arguments.event):
        raise CommandError("expected the id of an event with media, and with nothing else")
    with open_commands(arguments) as commands:
        now = datetime.now(UTC)
        if arguments.kind == "media":
            from ingest.remote.requests import ask_for_original

            asked = ask_for_original(commands, _event(arguments), name, now)
        else:
            asked = commands.ask(arguments.station, arguments.kind, "{}", name, now, timedelta(hours=arguments.within))
        print(f"command {asked.number}: {line(asked)}")
        if not arguments.wait:
            print("its answer: wildpost commands list")
            return 0
        return _wait(commands, asked, arguments.wait)


def _wait(commands: "StationCommands", asked: "StationCommand", wait_s: float) -> int:
    from contract.commands import FINAL_STATES

    until = time.monotonic() + wait_s
    while True:
        found = next(one for one in commands.latest(asked.station, 500) if one.number == asked.number)
        if found.state in (*FINAL_STATES, "expired", "superseded") or time.monotonic() > until:
            break
        time.sleep(_POLL_S)
    print(f"command {found.number}: {line(found)}")
    if found.result:
        print(json.dumps(json.loads(found.result), indent=1, ensure_ascii=False))
    return 0 if found.state == "done" else 1


def line(command: "StationCommand") -> str:
    """Return a command on one line: what, to whom, by whom, and what became of it."""
    what = f"{command.kind} {command.event_id}".strip()
    answered = f" on {command.answered_at:%Y-%m-%d %H:%M} UTC" if command.answered_at else ""
    detail = f": {command.detail}" if command.detail else ""
    asked = f"{what} for {command.station}, asked by {command.asked_by} on {command.asked_at:%Y-%m-%d %H:%M} UTC"
    return f"{asked}; {command.state}{answered}{detail}"


@contextmanager
def open_commands(arguments: argparse.Namespace) -> "Iterator[StationCommands]":
    """Open the casebook of a server, which may be running.

    Raises:
        CommandError: there is no casebook, or the server's settings name no signing key.
    """
    from casebook.casebook import Casebook
    from casebook.engine import CasebookOptions
    from casebook.incidents.database import Database
    from casebook.station_commands import StationCommands
    from wildpost.settings.data_folder import named_folder
    from wildpost.settings.loader import load_settings
    from wildpost.settings.server import ServerSettings

    options, folder = CasebookOptions(), named_folder(arguments.data)
    if arguments.settings:
        settings = load_settings(arguments.settings, ServerSettings)
        options = settings.casebook
        if not settings.commands.signing_key:
            raise CommandError(
                f"{arguments.settings}: [commands] signing_key is not set, so the server sends nothing; "
                "make one: wildpost commands keygen"
            )
    if not options.url and not (folder / "casebook.sqlite").exists():
        raise CommandError(f"{folder / 'casebook.sqlite'}: no such casebook; name the server's data folder")
    with closing(Casebook(options.url_in(folder))) as casebook:
        yield StationCommands(Database(casebook.engine))


def _event(arguments: argparse.Namespace) -> "Event":
    """Return the event from the running server, or from the detections of a server that does not run."""
    from contract import Event
    from ingest.store.port import EventQuery
    from wildpost.cli.server_request import CannotCount, ask_server, read_store
    from wildpost.settings.data_folder import named_folder

    folder = named_folder(arguments.data)
    try:
        answer = ask_server(folder, f"events/{arguments.event}.json", [])
    except CannotCount as error:
        raise CommandError(f"event {arguments.event!r}: {error}") from error
    if answer is not None:
        found = [msgspec.convert(answer, Event)]
    else:
        with read_store(folder) as store:
            found = store.events(EventQuery(event_ids=(arguments.event,), limit=1))
    if not found or found[0].station != arguments.station:
        raise CommandError(f"event {arguments.event!r}: expected an event of station {arguments.station}")
    return found[0]


def _hours(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to {MOST_HOURS}")
    return int(text)
