"""`wildpost export`: writes a server's captures in formats that other programs read."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from wildpost.cli.export_conversions import add_conversions
from wildpost.cli.export_history import add_history
from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.cli.server_request import find_data

if TYPE_CHECKING:
    from pipelines.camtrap_dp.package import ExportReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost export` to the argument parser."""
    about = "export captures, with people's verdicts, for other programs"
    formats = commands.add_parser("export", help=about, description=about).add_subparsers(
        required=True, metavar="FORMAT"
    )
    about = "write a Camtrap DP 1.0.2 package: datapackage.json and three tables"
    camtrap_dp = formats.add_parser("camtrap-dp", help=about, description=about)
    camtrap_dp.add_argument("folder", type=Path, metavar="DIR", help="an empty or new folder for the package")
    add_options(camtrap_dp)
    camtrap_dp.set_defaults(run=run)
    add_conversions(formats)
    add_history(formats)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which captures are exported, and how."""
    add_data(parser, or_demo=True)
    add_days(parser)
    add_time_zone(parser, "the days")
    parser.add_argument("--station", action="append", default=[], help="only this station (repeatable)")
    parser.add_argument("--title", default="Wildpost", help="title of the project")
    parser.add_argument("--contact", default="Wildpost", help="who answers questions about the data")
    parser.add_argument("--licence", default="", help="SPDX name of the licence of data and media, such as CC-BY-4.0")
    parser.add_argument(
        "--sampling-design", default="opportunistic", help="samplingDesign of Camtrap DP (default: opportunistic)"
    )
    parser.add_argument(
        "--exact-positions",
        action="store_true",
        help="write positions as they are; without it they are rounded to 0.01 degrees, and to 0.1 degrees where a "
        "nationally protected animal was recorded",
    )
    parser.add_argument(
        "--place",
        type=float,
        nargs=2,
        metavar=("LAT", "LON"),
        help="position of stations that report none; their captures are left out otherwise",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the package and print what it has, and what was left out."""
    report = write(arguments, arguments.folder)
    print(
        f"{arguments.folder}: {report.deployments} deployments, {report.media} media, "
        f"{report.observations} observations"
    )
    return 0


def write(arguments: argparse.Namespace, folder: Path) -> "ExportReport":
    """Write a package of the captures that the options name; print what was left out."""
    from contract import Location
    from ingest.store.port import EventQuery
    from pipelines.camtrap_dp.descriptor import PackageInfo
    from pipelines.camtrap_dp.package import ExportOptions, write_package
    from pipelines.trends.counting import local_midnight
    from wildpost.cli.copied_stores import copied_stores
    from wildpost.version import version_text

    zone = ZoneInfo(arguments.time_zone)
    query = EventQuery(
        stations=tuple(arguments.station),
        start=arguments.first and local_midnight(arguments.first, zone),
        end=arguments.last and local_midnight(arguments.last + timedelta(days=1), zone),
    )
    place = Location(latitude=arguments.place[0], longitude=arguments.place[1]) if arguments.place else None
    info = PackageInfo(
        title=arguments.title,
        contact=arguments.contact,
        sampling_design=arguments.sampling_design,
        software_version=version_text(),
        licence=arguments.licence,
    )
    options = ExportOptions(query=query, exact=arguments.exact_positions, place=place)
    with copied_stores(find_data(arguments.data)) as (store, casebook):
        report = write_package(folder, store, casebook, info, options)
    if report.simulated:
        print(f"{report.simulated} of {report.deployments} deployments are simulated, as their remarks say")
    for name, count in sorted(report.left_out.items()):
        print(f"left out: {count} captures of {name}, which has no position; give one with --place")
    return report
