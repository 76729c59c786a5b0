"""`wildpost deployments`: corrects the clock of a sensor for a period, lists corrections and undoes them."""

import argparse
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.errors import InvalidInput, StoreUnavailable
from wildpost.cli.server_data_options import add_data, add_time_zone
from wildpost.settings.data_folder import named_folder

if TYPE_CHECKING:
    from casebook.clock_shifts import ClockShift, ClockShifts

_SHIFT = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<days>\d{1,5})d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?"
)


class InvalidCorrection(InvalidInput):
    """An argument of a correction cannot be used; the message names it and what was expected."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost deployments` to the argument parser."""
    about = "correct capture times of a deployment on the server"
    actions = commands.add_parser("deployments", help=about, description=about).add_subparsers(
        required=True, metavar="COMMAND"
    )
    about = "shift the times of a sensor's captures in a period; the stations' messages stay as they are"
    shift = actions.add_parser("shift-clock", help=about, description=about)
    shift.add_argument("station", help="name of the station")
    shift.add_argument("sensor", help="name of the sensor")
    shift.add_argument("--from", dest="start", required=True, metavar="TIME", help="first time by the wrong clock")
    shift.add_argument("--to", dest="end", required=True, metavar="TIME", help="end, by the wrong clock, not included")
    shift.add_argument("--by", metavar="SHIFT", help="what to add, such as 8h or --by=-1d2h30m")
    shift.add_argument("--was", metavar="TIME", help="instead of --by: a time by the wrong clock, and")
    shift.add_argument("--is", dest="right", metavar="TIME", help="what the time was in truth")
    shift.add_argument("--reason", required=True, help="why, for the record")
    _add_common(shift, "who corrects, for the record")
    add_time_zone(shift, "times without an offset")
    shift.set_defaults(run=run_shift)
    about = "list all corrections: number, period, shift, who, when, why, and who undid it"
    shifts = actions.add_parser("clock-shifts", help=about, description=about)
    _add_common(shifts)
    shifts.set_defaults(run=run_list)
    about = "undo a correction; the captures get back the times that they had"
    undo = actions.add_parser("undo-shift", help=about, description=about)
    undo.add_argument("number", help="number of the correction, from clock-shifts")
    _add_common(undo, "who undoes it, for the record")
    undo.set_defaults(run=run_undo)


def _add_common(parser: argparse.ArgumentParser, name_help: str = "") -> None:
    if name_help:
        parser.add_argument("--as", dest="name", required=True, metavar="NAME", help=name_help)
    add_data(parser)


def run_shift(arguments: argparse.Namespace) -> int:
    """Record a correction, apply it if no server runs, and print it."""
    from casebook.clock_shifts import ClockShift

    zone = _zone(arguments.time_zone)
    new = ClockShift(
        shift_id="",
        station=arguments.station,
        sensor=arguments.sensor,
        start=_time(arguments.start, "--from", zone),
        end=_time(arguments.end, "--to", zone),
        shift=_shift(arguments, zone),
        reason=arguments.reason,
        made_by=arguments.name,
        made_at=datetime.now(UTC),
    )
    folder = named_folder(arguments.data)
    with _corrections(folder) as corrections:
        recorded = corrections.record(new)
        print(_line(recorded))
        _apply(folder, corrections)
    print(f"to undo it: wildpost deployments undo-shift {recorded.shift_id} --as NAME")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print all corrections."""
    with _corrections(named_folder(arguments.data)) as corrections:
        found = corrections.all()
    for one in found:
        print(_line(one))
    if not found:
        print("No corrections.")
    return 0


def run_undo(arguments: argparse.Namespace) -> int:
    """Undo a correction."""
    folder = named_folder(arguments.data)
    with _corrections(folder) as corrections:
        corrections.undo(arguments.number, arguments.name, datetime.now(UTC))
        print(f"correction {arguments.number} is undone")
        _apply(folder, corrections)
    return 0


@contextmanager
def _corrections(folder: Path) -> "Iterator[ClockShifts]":
    from casebook.casebook import Casebook
    from casebook.clock_shifts import ClockShifts
    from casebook.incidents.database import Database

    for name in ("detections.duckdb", "casebook.sqlite"):
        if not (folder / name).exists():
            raise StoreUnavailable(
                f"{folder / name}: no such database; name the server's data folder with --data DIR. Clocks can be "
                "corrected where detections are in DuckDB and the casebook in SQLite"
            )
    with closing(Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")) as casebook:
        yield ClockShifts(Database(casebook.engine))


def _apply(folder: Path, corrections: "ClockShifts") -> None:
    """Apply the corrections to the detections, unless a running server has them open and does it itself."""
    from ingest.store.duckdb.store import DuckDbStore

    try:
        store = DuckDbStore(folder / "detections.duckdb")
    except StoreUnavailable as error:
        if "lock" not in str(error):
            raise
        print("the running server applies this within seconds; its log says how many captures moved")
        return
    with closing(store):
        moved = store.set_clock_shifts(corrections.in_force())
    for number, captures in sorted(moved.items(), key=lambda item: int(item[0])):
        print(f"correction {number} is in force for {captures} captures")


def _line(one: "ClockShift") -> str:
    undone = f", undone by {one.undone_by} on {one.undone_at:%Y-%m-%d %H:%M} UTC" if one.undone_by else ""
    period = f"{one.start.isoformat(timespec='seconds')} to {one.end.isoformat(timespec='seconds')}"
    sign = "-" if one.shift < timedelta(0) else "+"
    return (
        f"{one.shift_id}: {one.station} {one.sensor}, {period}: {sign}{abs(one.shift)}, "
        f"by {one.made_by} on {one.made_at:%Y-%m-%d %H:%M} UTC: {one.reason}{undone}"
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Asia" is a folder
        raise InvalidCorrection(f"--time-zone {name!r}: expected a name such as Asia/Shanghai") from error


def _time(text: str, option: str, zone: ZoneInfo) -> datetime:
    from contract.bounds import is_representable

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidCorrection(f"{option} {text!r}: expected a time such as 2000-01-01T00:00") from error
    if not is_representable(found):
        raise InvalidCorrection(f"{option} {text!r}: expected a year from 2 to 9998")
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _shift(arguments: argparse.Namespace, zone: ZoneInfo) -> timedelta:
    if (arguments.by is None) == (arguments.was is None) or (arguments.was is None) != (arguments.right is None):
        raise InvalidCorrection("expected either --by SHIFT, or --was TIME and --is TIME")
    if arguments.by is None:
        return _time(arguments.right, "--is", zone) - _time(arguments.was, "--was", zone)
    found = _SHIFT.fullmatch(arguments.by)
    if found is None or not any(found.groups()[1:]):
        raise InvalidCorrection(f"--by {arguments.by!r}: expected days, hours, minutes, seconds such as 8h or -1d2h30m")
    try:
        size = timedelta(**{unit: int(found[unit] or 0) for unit in ("days", "hours", "minutes", "seconds")})
    except OverflowError as error:
        raise InvalidCorrection(f"--by {arguments.by!r}: expected less than 100 years") from error
    return -size if found["sign"] == "-" else size
