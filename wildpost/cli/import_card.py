"""`wildpost import card`: imports the pictures, films and recordings of a memory card or folder."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from datetime import tzinfo
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from wildpost.cli.server_data_options import add_data
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import SettingsError, describe_validation_error, load_settings

if TYPE_CHECKING:
    from edge.station import StationOptions
    from pipelines.card_import.card_files import CardListing
    from pipelines.card_import.clock_corrections import KnownTime
    from pipelines.card_import.deployments import Placement
    from wildpost.station.card_detectors import DetectorOpener

_FOLDER = "cards"  # in the data folder
_INTERRUPTED = 130


def add(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `card` to the parser of `wildpost import`."""
    about = "take in the pictures, films and recordings of a memory card or folder"
    card = kinds.add_parser("card", help=about, description=about)
    card.add_argument("path", type=Path, help="the mounted card, or a folder with copies of cards")
    card.add_argument("--deployment", metavar="NAME", help="deployment of all files, such as ridge-07-2026-spring")
    card.add_argument("--station", metavar="NAME", help="place of the device (default: the deployment's name)")
    card.add_argument("--table", type=Path, metavar="FILE", help="CSV table of deployments, by folder or by name")
    card.add_argument("--pattern", help="what folder names mean, such as '{place}/{deployment}'")
    card.add_argument("--latitude", type=float, help="place of the device in decimal degrees (WGS 84)")
    card.add_argument("--longitude", type=float, help="see --latitude")
    card.add_argument("--location-name", default="", metavar="TEXT", help="name of the place, as people call it")
    card.add_argument("--start", metavar="TIME", help="when the device was set up, such as 2026-05-01")
    card.add_argument("--end", metavar="TIME", help="when it was taken down")
    card.add_argument(
        "--fault", nargs=2, action="append", default=[], metavar=("FROM", "TO"), help="when the device did not work"
    )
    card.add_argument(
        "--clock",
        action="append",
        default=[],
        metavar="FILE=TIME",
        help="true time of one capture, to correct the device's clock, such as IMG_0001.JPG=2026-05-01T12:00+08:00",
    )
    card.add_argument(
        "--utc-offset", default="+08:00", help="of the devices' clocks where a file has none (default: +08:00)"
    )
    card.add_argument(
        "--time-zone", default="", help="of these clocks instead, with summer time, such as Europe/Berlin"
    )
    card.add_argument(
        "--detectors",
        default="",
        metavar="NAMES",
        help="detectors to run, with commas (default: vision,birdnet,threat)",
    )
    card.add_argument(
        "--station-settings",
        type=Path,
        metavar="FILE",
        help="settings of a station, whose models and thresholds to use",
    )
    card.add_argument(
        "--settings", type=Path, metavar="FILE", help="as given to serve or ingest (default: all defaults)"
    )
    add_data(card)
    card.add_argument("--processes", type=int, default=0, metavar="N", help="processes (default: one per core)")
    card.add_argument("--dry-run", action="store_true", help="list the deployments and their files, and import nothing")
    card.add_argument("--json", action="store_true", help="print the account as one JSON line at the end")
    card.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import a card; return 1 if nothing could be used or something was not delivered, 130 after Ctrl-C."""
    from pipelines.card_import.card_files import list_card
    from pipelines.card_import.card_import import CardImport, CardImportOptions
    from pipelines.card_import.clock_corrections import correct_clocks
    from pipelines.card_import.examine import ExaminationOptions
    from pipelines.executor.in_process import InProcess
    from pipelines.executor.process_pool import ProcessPool
    from wildpost.cli.import_card_report import ProgressLine, print_listing, print_report
    from wildpost.server.bundle_import import BundleImport
    from wildpost.settings.server import ServerSettings

    if arguments.processes < 0:
        raise SettingsError(f"--processes {arguments.processes}: expected 1 or more, or 0 for one per core")
    began = time.monotonic()
    station = _station_options(arguments)
    zone = station.recorders_zone
    listing = list_card(arguments.path, _placement(arguments, station, zone))
    listing.files, corrections = correct_clocks(listing.files, _known_times(arguments.clock, zone), zone)
    if arguments.dry_run:
        print_listing(listing, corrections)
        return 0
    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    beside = arguments.settings.parent if arguments.settings else Path.cwd()
    data = data_folder(arguments.data)
    processes = arguments.processes or os.cpu_count() or 1
    opener = _detector_opener(arguments, listing, data, 0 if processes == 1 else 1)
    importing = BundleImport(settings, data, beside)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set() if not stop.is_set() else signal.default_int_handler(*_))
    progress = ProgressLine(listing)
    work = CardImport(
        CardImportOptions(arguments.path, data / _FOLDER, settings.broker.prefix, version("wildpost")),
        listing,
        corrections,
        lambda folders: importing.run(*folders),
        progress.add,
    )
    if listing.files:
        opener()  # reports what is missing before any work; BirdNET chooses its runtime once, and not in each process
    with progress.shown():
        delivery = work.run(
            InProcess() if processes == 1 else ProcessPool(processes),
            lambda ledger, spool: ExaminationOptions(opener, zone, ledger, spool),
            stop.is_set,
        )
    seconds = time.monotonic() - began
    interrupted = work.report.done < work.report.files
    if arguments.json:
        print(
            json.dumps(
                {
                    **work.report.to_json(),
                    "messages_delivered": delivery.messages,
                    "batches_waiting": delivery.undelivered,
                    "problems": delivery.problems + ([delivery.failure] if delivery.failure else []),
                    "seconds": round(seconds, 1),
                },
                ensure_ascii=False,
            )
        )
    else:
        print_report(work.report, seconds)
    for problem in delivery.problems:
        print(f"wildpost: {problem}", file=sys.stderr)
    if delivery.undelivered:
        reason = delivery.failure or "the server refused messages"
        print(
            f"wildpost: {delivery.undelivered} batches of messages wait in {data / _FOLDER}: {reason}; run the same "
            "command again to deliver them",
            file=sys.stderr,
        )
    if interrupted:
        print("wildpost: stopped; run the same command again to go on", file=sys.stderr)
        return _INTERRUPTED
    return 1 if delivery.undelivered or not (work.report.new or work.report.before) else 0


def _station_options(arguments: argparse.Namespace) -> "StationOptions":
    """Check place and clock as those of a station."""
    import msgspec

    from edge.station import StationOptions

    given = {name: getattr(arguments, name) for name in ("latitude", "longitude", "utc_offset", "time_zone")}
    try:
        return msgspec.convert({"name": "a", "deployment": "a", **given}, StationOptions)
    except msgspec.ValidationError as error:
        raise SettingsError(f"--{describe_validation_error(error).replace('_', '-')}") from error


def _placement(arguments: argparse.Namespace, station: "StationOptions", zone: tzinfo) -> "Placement":
    from pipelines.card_import.deployment_table import parse_moment, read_deployment_table
    from pipelines.card_import.deployments import CardDeployment, Placement, message_name, parse_pattern

    pattern = parse_pattern(arguments.pattern) if arguments.pattern else None
    by_folder, by_name = read_deployment_table(arguments.table, zone) if arguments.table else ({}, [])
    if arguments.deployment is None:
        if pattern is None and not arguments.table:
            raise SettingsError("expected --deployment NAME, --table FILE or --pattern '{place}/{deployment}'")
        if pattern is not None and "deployment" not in {name for one in pattern.levels for name in one.groupindex}:
            raise SettingsError(
                f"--pattern {arguments.pattern!r} has no {{deployment}}: expected --deployment NAME too"
            )
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("station", "latitude", "start", "end", "fault", "location_name")
            if getattr(arguments, name)
        ]
        if given:
            raise SettingsError(f"{given[0]} describes one deployment: expected --deployment NAME too")
        return Placement(None, pattern, by_folder, by_name)
    start = parse_moment(arguments.start, zone, "--start") if arguments.start else None
    end = parse_moment(arguments.end, zone, "--end", ends=True) if arguments.end else None
    faults = [
        (parse_moment(first, zone, "--fault"), parse_moment(last, zone, "--fault", ends=True))
        for first, last in arguments.fault
    ]
    for first, last in ([(start, end)] if start and end else []) + faults:
        if last < first:
            raise SettingsError(f"{first} to {last}: expected an end after the start")
    place = arguments.station or arguments.deployment
    name = message_name(place)
    default = CardDeployment(
        station=name,
        deployment=message_name(arguments.deployment),
        location=station.location,
        location_name=arguments.location_name or (place if place != name else ""),
        start=start,
        end=end,
        faults=tuple(sorted(faults)),
    )
    return Placement(default, pattern, by_folder, by_name)


def _known_times(given: list[str], zone: tzinfo) -> "list[KnownTime]":
    from pipelines.card_import.clock_corrections import KnownTime
    from pipelines.card_import.deployment_table import parse_moment

    times = []
    for text in given:
        name, equals, moment = text.rpartition("=")
        if not equals or not name:
            raise SettingsError(f"--clock {text!r}: expected FILE=TIME, such as IMG_0001.JPG=2026-05-01T12:00+08:00")
        times.append(KnownTime(name, parse_moment(moment, zone, f"--clock {name}")))
    return times


def _detector_opener(
    arguments: argparse.Namespace, listing: "CardListing", data: Path, threads: int
) -> "DetectorOpener":
    """Return the opener of the detectors that the files of the card need; leave out the files without a detector."""
    from wildpost.settings.station import LOOKING, load_station
    from wildpost.station.card_detectors import DETECTORS, DetectorOpener, default_settings

    settings, beside = default_settings(), Path.cwd()
    if arguments.station_settings:
        settings, beside = load_station(arguments.station_settings), arguments.station_settings.absolute().parent
    wanted = {name for sensor in settings.sensors for name in sensor.detectors}
    if arguments.detectors:
        wanted = {name.strip() for name in arguments.detectors.split(",")}
        if unknown := sorted(wanted - set(DETECTORS)):
            raise SettingsError(f"--detectors {unknown[0]!r}: expected names of {', '.join(DETECTORS)}, with commas")
    without = set()
    if not wanted & LOOKING:
        without.add("picture")
    if not wanted - LOOKING:
        without.add("recording")
    listing.leave_out(without)
    families = {file.family for file in listing.files}
    looks, listens = bool(families & {"picture", "film"}), bool(families & {"film", "recording"})
    names = [name for name in DETECTORS if name in wanted and (looks if name in LOOKING else listens)]
    return DetectorOpener(tuple(names), settings, beside, data, threads)
