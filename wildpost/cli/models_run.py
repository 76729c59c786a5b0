"""`wildpost models run`: lets a detector work through files or folders, and writes what it found as a table."""

import argparse
import contextlib
import csv
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import SettingsError, describe_validation_error

if TYPE_CHECKING:
    from pipelines.detect.examination import ExaminationTask, Examined

_TELL_EVERY_S = 30.0  # where no bar is drawn, as in a log


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the action."""
    about = "let a detector work through files or folders, and write what it found as a table of Camtrap DP"
    run_ = actions.add_parser("run", help=about, description=about)
    run_.add_argument("model", help="as `wildpost models list` has it")
    run_.add_argument("files", type=Path, nargs="+", help="recordings or pictures, or folders of them")
    run_.add_argument("--csv", type=Path, metavar="FILE", help="where the observations go (default: standard output)")
    run_.add_argument("--processes", type=int, default=1, metavar="N", help="work on so many files at once; 1")
    run_.add_argument("--threshold", type=float, help="lowest confidence that counts (default: the detector's own)")
    run_.add_argument("--overlap", type=float, default=0.0, metavar="SECONDS", help="of BirdNET's windows; 0")
    run_.add_argument("--second-opinion", action="store_true", help="ask YAMNet too about shots and saws")
    run_.add_argument("--latitude", type=float, help="where the files were recorded, for BirdNET's prior of place")
    run_.add_argument("--longitude", type=float, help="as --latitude")
    run_.add_argument("--utc-offset", default="+08:00", help="of clocks, where a file does not say; +08:00")
    run_.add_argument("--deployment", default="", help="deploymentID (default: the name of each file's folder)")
    run_.add_argument("--folder", type=Path, help="where weights are kept (default: models in the data folder)")
    run_.add_argument("--registry", type=Path, action="append", default=[], help="a registry file of your own")
    run_.add_argument(
        "--json", action="store_true", help="last, one line: files, observations, unusable, hours, seconds"
    )
    run_.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Work through the files; 1 where none of them could be used."""
    from pipelines.camtrap_dp.observations import ObservationsFile
    from pipelines.detect.batch import examine_all, files_in

    if arguments.json and arguments.csv is None:
        raise SettingsError("--json: give the table a file of its own with --csv FILE")
    if arguments.processes < 1:
        raise SettingsError(f"--processes {arguments.processes}: expected 1 or more")
    task = _task(arguments)
    began = time.monotonic()
    count = sum(1 for _ in files_in(arguments.files, task.suffixes))
    if not count:
        from models.registry import WeightsError

        raise WeightsError(
            f"{', '.join(map(str, arguments.files))}: no file that ends in {', '.join(sorted(task.suffixes))}"
        )
    tally = _Tally(count)
    with _table(arguments.csv) as file, _aside(arguments.csv) as set_aside:
        table = ObservationsFile(file, arguments.deployment, datetime.now(UTC))
        with tally.printable_path():
            for examined in examine_all(files_in(arguments.files, task.suffixes), task, arguments.processes):
                table.write(examined)
                if examined.problem:
                    set_aside(examined)
                tally.add(examined)
    seconds = time.monotonic() - began
    print(
        f"{tally.files} files, {tally.hours:.2f} hours of sound, {table.rows} observations, "
        f"{tally.unusable} not usable, {seconds:.0f} s",
        file=sys.stderr,
    )
    if arguments.json:
        report = {
            "files": tally.files,
            "observations": table.rows,
            "unusable": tally.unusable,
            "hours": round(tally.hours, 4),
            "seconds": round(seconds, 1),
        }
        print(json.dumps(report))
    return int(tally.unusable == tally.files)


def _task(arguments: argparse.Namespace) -> "ExaminationTask":
    import msgspec

    from contract import Location
    from edge.station import StationOptions
    from models.registry import load_registry
    from pipelines.detect.examination import ExaminationTask

    if arguments.threshold is not None and not 0.01 <= arguments.threshold <= 0.99:
        raise SettingsError(f"--threshold {arguments.threshold}: expected 0.01 to 0.99")
    if not 0 <= arguments.overlap <= 2.9:
        raise SettingsError(f"--overlap {arguments.overlap}: expected 0 to 2.9 seconds")
    told = {"latitude": arguments.latitude, "longitude": arguments.longitude, "utc_offset": arguments.utc_offset}
    try:  # the same rules as for a station's place and clock
        station = msgspec.convert({"name": "a", "deployment": "a", **told}, StationOptions)
    except msgspec.ValidationError as error:
        raise SettingsError(f"--{describe_validation_error(error).replace('_', '-')}") from error
    place: Location | None = station.location
    data = data_folder()
    return ExaminationTask(
        model=arguments.model,
        registry=load_registry(*arguments.registry),
        weights=arguments.folder or data / "models",
        cache=data / "cache",
        zone=_zone(arguments.utc_offset),
        location=place,
        threshold=arguments.threshold,
        overlap_s=arguments.overlap,
        threads=0 if arguments.processes == 1 else 1,
        second_opinion=arguments.second_opinion,
    )


def _zone(offset: str) -> tzinfo:
    zone = datetime.fromisoformat(f"2026-01-01T00:00:00{offset}").tzinfo
    assert zone is not None  # noqa: S101, the offset has been checked
    return zone


class _Tally:
    """Counts, and shows how far it is."""

    def __init__(self, expected: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.files = self.unusable = 0
        self.hours = 0.0
        self._began = self._told = time.monotonic()
        self._expected = expected
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._line = self._bar.add_task("", total=expected)

    @contextlib.contextmanager
    def printable_path(self) -> Iterator[None]:
        with self._bar:
            yield

    def add(self, examined: "Examined") -> None:
        self.files += 1
        self.hours += examined.duration_s / 3600
        self.unusable += bool(examined.problem)
        words = f"{self.unusable} not usable" if self.unusable else ""
        if self.hours:
            words += f" {3600 * self.hours / max(1e-3, time.monotonic() - self._began):.0f} x real time"
        self._bar.update(self._line, advance=1, description=words.strip())
        if self._bar.disable and time.monotonic() - self._told > _TELL_EVERY_S:
            self._told = time.monotonic()
            print(f"{self.files} of {self._expected} files {words}".strip(), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _table(path: Path | None) -> Iterator[TextIO]:
    """Write beside the file that is meant, which is there when all of it is, and is never overwritten."""
    if path is None:
        yield sys.stdout
        return
    if path.exists():
        raise SettingsError(f"--csv {path}: there already; choose another name")
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        yield file
    part.replace(path)


@contextlib.contextmanager
def _aside(table: Path | None) -> Iterator["_SetAside"]:
    path = table.with_name(f"{table.stem}-unusable.csv") if table else None
    set_aside = _SetAside(path)
    try:
        yield set_aside
    finally:
        set_aside.close()


class _SetAside:
    """Names the files that cannot be used: in a table beside the observations, or on standard error."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __call__(self, examined: "Examined") -> None:
        from pipelines.camtrap_dp.observations import printable_path

        if self._path is None:
            print(f"{printable_path(examined.path)}: {examined.problem}", file=sys.stderr)
            return
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["filePath", "reason"])
        csv.writer(self._file).writerow([printable_path(examined.path), printable_path(examined.problem)])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
