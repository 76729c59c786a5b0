"""`wildpost export darwin-core`, `megadetector`, `records` and `geojson`: conversions of a Camtrap DP package."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pipelines.camtrap_dp.reading import Package


def add_conversions(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the four formats to the argument parser of `wildpost export`."""
    darwin_core = _parser(formats, "darwin-core", "ARCHIVE.zip", "write a Darwin Core archive of the animals, for GBIF")
    darwin_core.set_defaults(run=_run_darwin_core)
    megadetector = _parser(
        formats, "megadetector", "RESULTS.json", "write boxes and species in MegaDetector's format 1.6, for Timelapse"
    )
    megadetector.set_defaults(run=_run_megadetector)
    records = _parser(formats, "records", "TABLE.csv", "write a table of independent records, for camtrapR and others")
    records.add_argument(
        "--interval-minutes",
        type=float,
        default=30,
        metavar="MINUTES",
        help="records of a species at a station within this time count once; 0: all records (default: 30)",
    )
    records.add_argument(
        "--since-last-record",
        action="store_true",
        help="measure the interval from the record before, independent or not, instead of the last independent one",
    )
    records.add_argument(
        "--spreadsheet", action="store_true", help="for Excel and others: with a byte order mark, and no cell a formula"
    )
    records.set_defaults(run=_run_records)
    geojson = _parser(formats, "geojson", "ANIMALS.geojson", "write the animals as points, for map programs")
    geojson.set_defaults(run=_run_geojson)


def _parser(
    formats: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, file: str, about: str
) -> argparse.ArgumentParser:
    from wildpost.cli.export import add_options

    found = formats.add_parser(name, help=about, description=about)
    found.add_argument("file", type=Path, metavar=file, help="the new file")
    found.add_argument(
        "--package", type=Path, metavar="DIR", help="convert this Camtrap DP package (1.0 or 0.1.6) instead of captures"
    )
    add_options(found)
    return found


@contextmanager
def _package(arguments: argparse.Namespace) -> "Iterator[Package]":
    """Yield the package that the options name, or one of the captures, in a temporary folder beside the new file."""
    from pipelines.camtrap_dp.reading import open_package
    from wildpost.cli.export import write

    if arguments.package is not None:
        yield open_package(arguments.package)
        return
    with tempfile.TemporaryDirectory(prefix=".wildpost-export-", dir=arguments.file.absolute().parent) as name:
        write(arguments, Path(name))
        yield open_package(Path(name))


def _run_darwin_core(arguments: argparse.Namespace) -> int:
    from pipelines.exchange.darwin_core import write_archive

    with _package(arguments) as package:
        report = write_archive(package, arguments.file)
    print(f"{arguments.file}: {report.occurrences} occurrences, {report.media} media")
    return 0


def _run_megadetector(arguments: argparse.Namespace) -> int:
    from pipelines.exchange.megadetector import write_results

    with _package(arguments) as package:
        report = write_results(package, arguments.file)
    print(f"{arguments.file}: {report.pictures} pictures, {report.detections} detections")
    for kind, count in sorted(report.left_out.items()):
        print(f"left out: {count} files of type {kind}, which the format cannot hold")
    return 0


def _run_records(arguments: argparse.Namespace) -> int:
    from pipelines.exchange.record_table import TableOptions, write_record_table

    options = TableOptions(
        ZoneInfo(arguments.time_zone),
        timedelta(minutes=arguments.interval_minutes),
        "last record" if arguments.since_last_record else "last independent record",
        arguments.spreadsheet,
    )
    with _package(arguments) as package:
        written = write_record_table(package, arguments.file, options)
    print(f"{arguments.file}: {written} records")
    return 0


def _run_geojson(arguments: argparse.Namespace) -> int:
    from pipelines.exchange.geojson import write_geojson

    with _package(arguments) as package:
        written = write_geojson(package, arguments.file)
    print(f"{arguments.file}: {written} points")
    return 0
