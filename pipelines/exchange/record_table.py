"""Converts a Camtrap DP package into a table of independent records, as R packages for camera traps take it."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import Package, Row
from pipelines.exchange.spreadsheet import without_formula
from pipelines.trends.independence import USUAL_INTERVAL, ComparedTo, independent_records

# Columns of ``recordTable`` of camtrapR (Niedballa et al. 2016, doi:10.1111/2041-210X.12600), and two of ours.
COLUMNS = (
    "Station",
    "Species",
    "DateTimeOriginal",
    "Date",
    "Time",
    "delta.time.secs",
    "delta.time.mins",
    "delta.time.hours",
    "delta.time.days",
    "Directory",
    "FileName",
    "Count",
    "ClassificationMethod",
)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Which records count, and how the table is written.

    Attributes:
        zone: Time zone of the written times.
        interval: Independence interval; zero: all records.
        compared_to: Definition of independence.
        for_spreadsheet: Whether a spreadsheet program opens the file: with a byte order mark, so that it reads Chinese,
            and with an apostrophe before cells that it would run as formulas.
    """

    zone: ZoneInfo
    interval: timedelta = USUAL_INTERVAL
    compared_to: ComparedTo = "last independent record"
    for_spreadsheet: bool = False


@dataclass(frozen=True, slots=True)
class _Record:
    time: datetime
    row: Row
    count: int


def write_record_table(package: Package, path: Path, options: TableOptions) -> int:
    """Write the independent records of animals, one a row, ordered by station, species and time; return their number.

    ``Station`` is the ``locationID`` of the deployment; several animals of a species in one file are one record with
    their ``Count``. Observations of files are used if there are any, otherwise those of events.

    Raises:
        UnreadablePackage: a table cannot be read.
        InvalidInput: a time is not ISO 8601 with its offset.
        FileExistsError: the file exists.
    """
    stations = {
        row["deploymentID"]: row.get("locationID") or row["deploymentID"] for row in package.rows("deployments")
    }
    files = {row["mediaID"]: row["filePath"] for row in package.rows("media")}
    encoding = "utf-8-sig" if options.for_spreadsheet else "utf-8"
    written = 0
    with path.open("x", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (station, species), records in sorted(_records(package, stations).items()):
            for cells in _rows(records, files, options):
                row = [station, species, *cells]
                writer.writerow([without_formula(cell) for cell in row] if options.for_spreadsheet else row)
                written += 1
    return written


def _records(package: Package, stations: dict[str, str]) -> dict[tuple[str, str], list[_Record]]:
    rows = [row for row in package.rows("observations") if row["observationType"] == "animal"]
    level = "media" if any(row["observationLevel"] == "media" for row in rows) else "event"
    counts: Counter[tuple[str, str, str, str]] = Counter()
    firsts: dict[tuple[str, str, str, str], Row] = {}
    for row in rows:
        if row["observationLevel"] == level:
            species = row.get("scientificName") or "unknown"
            key = row["deploymentID"], species, row["eventStart"], row.get("mediaID", "")
            counts[key] += int(row["count"]) if row.get("count", "").isdigit() else 1
            firsts.setdefault(key, row)
    found: dict[tuple[str, str], list[_Record]] = defaultdict(list)
    for key, row in firsts.items():
        station = stations.get(row["deploymentID"], row["deploymentID"])
        found[station, key[1]].append(_Record(_time(row), row, counts[key]))
    for records in found.values():
        records.sort(key=lambda record: record.time)
    return found


def _rows(records: list[_Record], files: dict[str, str], options: TableOptions) -> Iterator[list[str]]:
    kept = independent_records([record.time for record in records], options.interval, options.compared_to)
    last: datetime | None = None
    for record, independent in zip(records, kept, strict=True):
        if not independent:
            continue
        local = record.time.astimezone(options.zone)
        seconds = 0.0 if last is None else (record.time - last).total_seconds()
        last = record.time
        path = PurePosixPath(files.get(record.row.get("mediaID", ""), ""))
        yield [
            f"{local:%Y-%m-%d %H:%M:%S}",
            f"{local:%Y-%m-%d}",
            f"{local:%H:%M:%S}",
            *(f"{seconds / unit:.{digits}f}" for unit, digits in ((1, 0), (60, 0), (3600, 1), (86400, 1))),
            str(path.parent) if path.name else "",
            path.name,
            str(record.count),
            record.row.get("classificationMethod", ""),
        ]


def _time(row: Row) -> datetime:
    try:
        found = datetime.fromisoformat(row["eventStart"])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(
            f"observation {row['observationID']}: eventStart is {row['eventStart']!r}: expected a time with its offset"
        )
    return found
