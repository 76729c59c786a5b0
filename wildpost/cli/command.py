"""`wildpost command`: tells a station something, and waits for its answer."""

import argparse
import getpass
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from contract.errors import InvalidInput
from wildpost.cli.access_database import access_database, add_options

if TYPE_CHECKING:
    from casebook.station_commands import StationCommand, StationCommands
    from contract import Event

HOURS, MOST_HOURS = 24, 24 * 90
WORDS = ("status", "retry", "restart-capture", "media", "settings")
SETTINGS_HOURS = 24 * 30
_POLL_S = 0.5


class CommandError(InvalidInput):
    """An argument of a command cannot be used; the message names it and what was expected."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost command` to the argument parser."""
    about = "tell a station something: the server signs and sends it, and records the answer"
    parser = commands.add_parser("command", help=about, description=about)
    parser.add_argument("station", help="name of the station")
    parser.add_argument(
        "kind",
        choices=WORDS,
        help="what it is told; media: send the original of a capture; settings: change some of its settings",
    )
    parser.add_argument("event", nargs="?", default="", help="with media: id of the event")
    parser.add_argument("--as", dest="name", metavar="NAME", help="who asks, for the record (default: the login name)")
    parser.add_argument(
        "--within",
        type=_hours,
        metavar="HOURS",
        help=f"expires after this time (default: {HOURS}; of settings {SETTINGS_HOURS})",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="with settings: such as sensors.camera.camera.device=1; may be repeated",
    )
    parser.add_argument(
        "--unset", action="append", default=[], metavar="KEY", help="with settings: the station's own value again"
    )
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the answer, and print it")
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record a command, and wait for the answer if that is asked for; return 1 if it was not done."""
    name = arguments.name or getpass.getuser()
    if (arguments.kind == "media") != bool(arguments.event):
        raise CommandError("expected the id of an event with media, and with nothing else")
    if (arguments.kind == "settings") != bool(arguments.set or arguments.unset):
        raise CommandError("expected --set KEY=VALUE or --unset KEY with settings, and with nothing else")
    settings = arguments.kind == "settings"
    lasts = timedelta(hours=arguments.within or (SETTINGS_HOURS if settings else HOURS))
    with open_commands(arguments) as commands:
        now = datetime.now(UTC)
        if arguments.kind == "media":
            from ingest.remote.requests import ask_for_original

            asked = ask_for_original(commands, _event(arguments), name, now)
        else:
            payload = _desired(commands, arguments) if settings else "{}"
            asked = commands.ask(arguments.station, arguments.kind, payload, name, now, lasts)
        print(f"command {asked.number}: {line(asked)}")
        if not arguments.wait:
            print("its answer: wildpost commands list")
            return 0
        return _wait(commands, asked, arguments.wait)


def _wait(commands: "StationCommands", asked: "StationCommand", wait_s: float) -> int:
    from contract.commands import FINAL_STATES

    until = time.monotonic() + wait_s
    while True:
        found = commands.numbered(asked.number)
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
        CommandError: the server's settings name no signing key.
        StoreUnavailable: there is no casebook, or it does not answer.
    """
    from casebook.station_commands import StationCommands
    from wildpost.settings.loader import load_settings
    from wildpost.settings.server import ServerSettings

    if arguments.settings and not load_settings(arguments.settings, ServerSettings).commands.signing_key:
        raise CommandError(
            f"{arguments.settings}: [commands] signing_key is not set, so the server sends nothing; "
            "make one: wildpost commands keygen"
        )
    with access_database(arguments) as database:
        yield StationCommands(database)


def _desired(commands: "StationCommands", arguments: argparse.Namespace) -> str:
    """Return the desired settings of a station as JSON: those of before with the changes.

    Raises:
        InvalidSettings: a setting cannot be changed from afar, or a value is out of its bounds.
    """
    from contract.desired_settings import flattened, nested, read_desired

    known = commands.settings_in_force(arguments.station)
    flat = flattened(json.loads(known.payload)) if known else {}
    for key in arguments.unset:
        if flat.pop(key, None) is None:
            raise CommandError(f"--unset {key}: expected one of {', '.join(sorted(flat)) or 'none'}")
    for assignment in arguments.set:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise CommandError(f"--set {assignment}: expected KEY=VALUE")
        flat[key] = text if key.endswith(".device") else _value(assignment, text)
    desired = read_desired(json.dumps(nested(flat)))
    return msgspec.json.encode(desired).decode()


def _value(assignment: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f"--set {assignment}: expected a number, or a text in double quotes") from error


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
