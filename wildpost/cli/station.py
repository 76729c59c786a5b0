"""`wildpost station`: runs, sets up and checks a station."""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from contract.redaction import RedactingFormatter
from wildpost.cli import station_check, station_export, station_init
from wildpost.settings.data_folder import data_folder
from wildpost.settings.secret_values import redaction_of

if TYPE_CHECKING:
    from edge.outbox.outbox import Outbox
    from edge.transport.port import Transport
    from wildpost.settings.station import StationSettings
    from wildpost.station.remote import AssembledStation

NOT_THERE = 2  # exit code: a folder or sensor of the settings does not exist
DRAIN_S = 3600.0  # with --once: longest wait for the broker before the command ends with messages left
QUIET_S = 5.0  # wait before the reason of waiting is printed


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost station` and its actions to the argument parser."""
    about = "run, set up or check a station"
    station = commands.add_parser("station", help=about, description=about)
    actions = station.add_subparsers(required=True, metavar="ACTION")
    about = "capture, detect and send until stopped"
    running = actions.add_parser("run", help=about, description=about)
    running.add_argument("settings", type=Path, help="for example configs/station.toml")
    running.add_argument("--data", type=Path, help="data folder with outbox and weights (default: WILDPOST_DATA)")
    running.add_argument("--once", action="store_true", help="process the files present, send all results and exit")
    running.add_argument("--json", action="store_true", help="print a summary as one JSON line at the end")
    running.set_defaults(run=run)
    station_init.add(actions)
    station_check.add(actions)
    station_export.add(actions)


def run(arguments: argparse.Namespace) -> int:
    """Run a station until Ctrl-C or SIGTERM."""
    from wildpost.settings.station import load_station
    from wildpost.station.run_control import RunControl
    from wildpost.station.running import started
    from wildpost.station.setup import provide_secrets

    provide_secrets(arguments.settings)
    settings = load_station(arguments.settings)
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", redaction_of(settings)))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    settings_folder = arguments.settings.absolute().parent
    if arguments.once and (missing := _missing_folders(settings, settings_folder)):
        print("\n".join(f"wildpost: {line}" for line in missing), file=sys.stderr)
        return NOT_THERE
    control = RunControl()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: control.end())
    data = data_folder(arguments.data)
    while True:
        with started(settings, settings_folder, data, control.restart) as built:
            code = _run(settings.station.name, built, arguments, control.stop, data)
        if arguments.once or not control.next_run():
            return code
        logging.getLogger("wildpost.station").info("the station is started anew")


def _run(name: str, built: "AssembledStation", arguments: argparse.Namespace, stop: threading.Event, data: Path) -> int:
    """Run a station until ``stop`` is set, print what the user asked for, and return the exit code."""
    began = time.monotonic()
    station, publisher, outbox = built.station, built.publisher, built.outbox
    events_before, aside_before = outbox.count("events"), outbox.count("set_aside")
    publisher.start()
    if built.control:
        built.control.start()
    try:
        station.run(stop, arguments.once, data)
        drained = _drain(publisher, outbox, stop) if arguments.once else True
    finally:
        if built.control:
            built.control.stop()
        publisher.stop()
    if arguments.json:
        report = {
            "station": name,
            "pictures": station.pictures,
            "recordings": station.recordings,
            "events_sent": outbox.count("events") - events_before,
            "set_aside": outbox.count("set_aside") - aside_before,
            "given_up": station.given_up,
            "seconds": round(time.monotonic() - began, 1),
        }
        print(json.dumps(report), flush=True)
    if not drained:
        reason = publisher.problem or "the broker has not acknowledged them yet"
        print(f"wildpost: {len(outbox)} messages are left in the outbox: {reason}", file=sys.stderr)
    for sensor, reason in station.given_up.items():
        print(f"wildpost: sensor {sensor!r} failed for good: {reason}", file=sys.stderr)
    if station.given_up:
        return NOT_THERE
    return 0 if drained else 1


def _drain(publisher: "Transport", outbox: "Outbox", stop: threading.Event) -> bool:
    """Wait until the broker has acknowledged all messages; return False if messages are left.

    The wait ends after DRAIN_S, or when ``stop`` is set.
    """
    began, reported = time.monotonic(), False
    while not (drained := publisher.drain(0.5)) and not stop.is_set():
        waited_s = time.monotonic() - began
        if waited_s > DRAIN_S:
            break
        if waited_s > QUIET_S and publisher.problem and not reported:
            reported = True
            print(
                f"wildpost: waiting up to one hour to send {len(outbox)} messages: {publisher.problem} "
                "(Ctrl-C stops waiting; the messages stay in the outbox for the next run)",
                file=sys.stderr,
                flush=True,
            )
    return drained


def _missing_folders(settings: "StationSettings", settings_folder: Path) -> list[str]:
    """Return an error message for each watched folder that does not exist.

    Either the path in the settings is wrong, or a memory card is not mounted.
    """
    return [
        f"sensor {sensor.name!r}: no such folder: {settings_folder / sensor.folder}; "
        "mount it, or correct 'folder' in the settings"
        for sensor in settings.sensors
        if sensor.source == "folder" and not (settings_folder / sensor.folder).is_dir()
    ]
