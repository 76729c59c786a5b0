"""`wildpost station`: what runs in the forest."""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli import station_check, station_init
from wildpost.settings.data_folder import data_folder

if TYPE_CHECKING:
    from edge.outbox.outbox import Outbox
    from edge.transport.mqtt.publisher import Publisher
    from wildpost.settings.station import StationSettings

NOT_THERE = 2  # exit code: what the settings name is not there
DRAIN_S = 3600.0  # with --once: how long the broker may be away at the end before we give up waiting
QUIET_S = 5.0  # so long nothing is said of waiting


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost station` and what it can do."""
    about = "what runs on a station"
    station = commands.add_parser("station", help=about, description=about)
    actions = station.add_subparsers(required=True, metavar="ACTION")
    doing = "watch, detect and send until it is stopped"
    running = actions.add_parser("run", help=doing, description=doing)
    running.add_argument("settings", type=Path, help="for example configs/station.toml")
    running.add_argument("--data", type=Path, help="where the outbox and weights are (default: WILDPOST_DATA)")
    running.add_argument("--once", action="store_true", help="work off what is there, send all of it, end")
    running.add_argument("--json", action="store_true", help="last, print what was done as one JSON line")
    running.set_defaults(run=run)
    station_init.add(actions)
    station_check.add(actions)


def run(arguments: argparse.Namespace) -> int:
    """Run a station until Ctrl-C or SIGTERM."""
    from wildpost.settings.station import load_station
    from wildpost.station.assembly import assembled
    from wildpost.station.setup import provide_secrets

    began = time.monotonic()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    provide_secrets(arguments.settings)
    settings = load_station(arguments.settings)
    beside = arguments.settings.absolute().parent
    if arguments.once and (gone := _folders_gone(settings, beside)):
        print("\n".join(f"wildpost: {line}" for line in gone), file=sys.stderr)
        return NOT_THERE
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    data = data_folder(arguments.data)
    with assembled(settings, beside, data) as (station, publisher, outbox):
        events_before, aside_before = outbox.count("events"), outbox.count("set_aside")
        publisher.start()
        try:
            station.run(stop, arguments.once, data)
            drained = _drain(publisher, outbox, stop) if arguments.once else True
        finally:
            publisher.stop()
        if arguments.json:
            report = {
                "station": settings.station.name,
                "pictures": station.pictures,
                "recordings": station.recordings,
                "events_sent": outbox.count("events") - events_before,
                "set_aside": outbox.count("set_aside") - aside_before,
                "given_up": station.given_up,
                "seconds": round(time.monotonic() - began, 1),
            }
            print(json.dumps(report), flush=True)
        if not drained:
            why = publisher.problem or "the broker has not answered for them yet"
            print(f"wildpost: {len(outbox)} messages wait in the outbox: {why}", file=sys.stderr)
        for sensor, why in station.given_up.items():
            print(f"wildpost: sensor {sensor!r} was given up: {why}", file=sys.stderr)
    if station.given_up:
        return NOT_THERE
    return 0 if drained else 1


def _drain(publisher: "Publisher", outbox: "Outbox", stop: threading.Event) -> bool:
    """Wait until the broker has everything, for as long as somebody lets us; False where something is left."""
    began, said = time.monotonic(), False
    while not (drained := publisher.drain(0.5)) and not stop.is_set():
        waited_s = time.monotonic() - began
        if waited_s > DRAIN_S:
            break
        if waited_s > QUIET_S and publisher.problem and not said:
            said = True
            print(
                f"wildpost: {len(outbox)} messages wait, for an hour at most: {publisher.problem} "
                "(Ctrl-C ends this: they are kept, and the next run sends them)",
                file=sys.stderr,
                flush=True,
            )
    return drained


def _folders_gone(settings: "StationSettings", beside: Path) -> list[str]:
    """Name the folders that are not there: a name that is wrong, or a card that is not in; nothing is begun then."""
    return [
        f"sensor {sensor.name!r}: no such folder: {beside / sensor.folder}; mount it, or mend 'folder' in the settings"
        for sensor in settings.sensors
        if sensor.source == "folder" and not (beside / sensor.folder).is_dir()
    ]
