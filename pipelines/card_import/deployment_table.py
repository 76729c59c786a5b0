"""Reads a table of deployments: CSV of one's own, of Camtrap DP (deployments.csv) or of camtrapR (camera operation)."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path, PurePosixPath

import msgspec

from captures.written_time import WrittenTime, parse_time
from contract import Location
from contract.bounds import is_representable
from pipelines.card_import.deployments import CardDeployment, CardTableError, message_name

MAX_BYTES = 20_000_000
MAX_ROWS = 100_000  # deployments of many years; each takes a hundred times the memory of its shortest line
MAX_COLUMNS = 1_000  # camtrapR has two for each period of a fault
_TEXTS = ("location_name", "habitat", "setup_by", "camera_model", "comments")
_TEXT_CHARACTERS = 200
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
# Names of the columns in Camtrap DP 1.0 and in camtrapR's camera operation tables, in small letters without "_".
_ALIASES = {
    "deploymentid": "deployment",
    "session": "deployment",
    "locationid": "station",
    "place": "station",
    "site": "station",
    "locationname": "location_name",
    "lat": "latitude",
    "lon": "longitude",
    "long": "longitude",
    "deploymentstart": "start",
    "setupdate": "start",
    "deploymentend": "end",
    "retrievaldate": "end",
    "setupby": "setup_by",
    "cameramodel": "camera_model",
    "deploymentcomments": "comments",
}
_KNOWN = {"folder", "station", "deployment", "latitude", "longitude", "start", "end", *_TEXTS}


def read_deployment_table(path: Path, zone: tzinfo) -> tuple[dict[PurePosixPath, CardDeployment], list[CardDeployment]]:
    """Read a table of deployments, in UTF-8 or GB 18030, with a header line.

    Columns: folder, station, deployment, latitude, longitude, start, end, location_name, habitat, setup_by,
    camera_model, comments, and problem1_from, problem1_to, problem2_from... for periods in which a camera did not work.
    Names of Camtrap DP and camtrapR are understood too, and other columns are ignored.

    Args:
        path: The file.
        zone: Time zone of times without a UTC offset.

    Returns:
        The rows that name a folder, by folder relative to the card, and the other rows.

    Raises:
        CardTableError: the file cannot be read, or a row has a value that cannot be used.
    """
    by_folder: dict[PurePosixPath, CardDeployment] = {}
    others: list[CardDeployment] = []
    keys: dict[tuple[str, str], CardDeployment] = {}
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        one = _deployment(row, zone, where)
        if keys.setdefault(one.key, one) != one:
            raise CardTableError(f"{where}: {one.station} {one.deployment} is described differently in an earlier line")
        if folder := row.get("folder", ""):
            known = by_folder.setdefault(_folder(folder, where), one)
            if known != one:
                raise CardTableError(f"{where}: folder {folder!r} is named twice")
        else:
            others.append(one)
    if not keys:
        raise CardTableError(f"{path}: no rows; expected a header line and a line for each deployment")
    return by_folder, others


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CardTableError(f"{path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise CardTableError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise CardTableError(f"{path}: byte {error.start} is neither UTF-8 nor GB 18030") from error
    lines = io.StringIO(text, newline="")
    separator = max(",;\t", key=lines.readline().count)
    lines.seek(0)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header = [_column(one) for one in next(reader, [])]
        if len(header) > MAX_COLUMNS:
            raise CardTableError(f"{path}: {len(header)} columns; expected at most {MAX_COLUMNS}")
        if not {"station", "deployment"} & set(header):
            raise CardTableError(
                f"{path}: columns {str(header)[:200]}: expected 'station' or 'deployment', and 'folder'"
            )
        if repeated := [one for one, number in Counter(header).items() if one in _KNOWN and number > 1]:
            raise CardTableError(f"{path}: two columns mean {repeated[0]!r}")
        filled = 0
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            filled += 1
            if filled > MAX_ROWS:
                raise CardTableError(f"{path}: more than {MAX_ROWS} rows")
            yield reader.line_num, {name: cell.strip() for name, cell in zip(header, row, strict=False)}
    except csv.Error as error:
        raise CardTableError(f"{path}, line {reader.line_num}: {error}") from error


def _column(name: str) -> str:
    plain = name.strip().casefold().replace(" ", "_")
    return _ALIASES.get(plain.replace("_", ""), plain)


def _folder(text: str, where: str) -> PurePosixPath:
    folder = PurePosixPath(text.replace("\\", "/").strip("/"))
    if ".." in folder.parts or ":" in text:
        raise CardTableError(f"{where}: folder {text!r}: expected a path below the imported folder")
    return folder


def _deployment(row: Mapping[str, str], zone: tzinfo, where: str) -> CardDeployment:
    station = row.get("station", "") or row.get("deployment", "")
    if not station:
        raise CardTableError(f"{where}: neither station nor deployment is named")
    start, end = _time(row, "start", zone, where), _time(row, "end", zone, where, ends=True)
    if start is not None and end is not None and end < start:
        raise CardTableError(f"{where}: the deployment ends at {end}, before its start at {start}")
    texts = {name: row.get(name, "") for name in _TEXTS}
    for name, text in texts.items():
        if len(text) > _TEXT_CHARACTERS:
            raise CardTableError(f"{where}: {name} of {len(text)} characters; expected at most {_TEXT_CHARACTERS}")
    texts["location_name"] = texts["location_name"] or station
    return CardDeployment(
        station=message_name(station),
        deployment=message_name(row.get("deployment", "") or station),
        location=_location(row, where),
        start=start,
        end=end,
        faults=_faults(row, zone, where),
        **texts,
    )


def _location(row: Mapping[str, str], where: str) -> Location | None:
    latitude, longitude = row.get("latitude", ""), row.get("longitude", "")
    if not latitude and not longitude:
        return None
    try:
        return msgspec.convert({"latitude": float(latitude), "longitude": float(longitude)}, Location)
    except ValueError as error:
        raise CardTableError(
            f"{where}: latitude {latitude!r}, longitude {longitude!r}: expected decimal degrees in WGS 84 ({error})"
        ) from error


def _faults(row: Mapping[str, str], zone: tzinfo, where: str) -> tuple[tuple[datetime, datetime], ...]:
    found = []
    for name in sorted(row):
        if not (name.startswith("problem") and name.endswith("_from") and row[name]):
            continue
        start = _time(row, name, zone, where)
        end = _time(row, f"{name.removesuffix('_from')}_to", zone, where, ends=True)
        if start is None or end is None or end < start:
            raise CardTableError(f"{where}: {name} {row[name]!r}: expected an end in {name.removesuffix('_from')}_to")
        found.append((start, end))
    return tuple(sorted(found))


def _time(row: Mapping[str, str], name: str, zone: tzinfo, where: str, ends: bool = False) -> datetime | None:
    """Return the time in a cell; a date alone is its midnight, or the end of the day if the time is an end."""
    text = row.get(name, "")
    return parse_moment(text, zone, f"{where}: {name}", ends) if text else None


def parse_moment(text: str, zone: tzinfo, what: str, ends: bool = False) -> datetime:
    """Read a date or a time of a table or an option.

    Args:
        text: Date or time, ISO 8601 or as cameras write it.
        zone: Time zone, if the text has no UTC offset.
        what: What it is, for the error.
        ends: Whether a date alone means the end of the day.

    Raises:
        CardTableError: it is no time.
    """
    written = parse_time(f"{text} 00:00" if (date_only := _DATE.fullmatch(text) is not None) else text)
    if written is not None and is_representable(written.local) and date_only and ends:
        written = WrittenTime(written.local + timedelta(days=1))
    if written is None or not is_representable(written.local):
        raise CardTableError(f"{what} {text!r}: expected a time such as 2026-05-01 or 2026-05-01T12:00+08:00")
    return written.at(zone)
