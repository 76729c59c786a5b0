"""`wildpost models run`: runs a detector on files or folders and writes a table of observations."""

import argparse
import contextlib
import csv
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from wildpost.cli.pickle_question import add_trust
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import SettingsError, describe_validation_error

if TYPE_CHECKING:
    from pipelines.detect.examination import ExaminationTask, Examined

_PROGRESS_INTERVAL_S = 30.0  # between progress lines where standard error is not a terminal


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `run` to the parser of `wildpost models`."""
    about = "run a detector on files or folders and write the observations as a Camtrap DP table"
    run_ = actions.add_parser("run", help=about, description=about)
    run_.add_argument("model", help="model name from `wildpost models list`")
    run_.add_argument("files", type=Path, nargs="+", help="recordings, pictures or films, or folders of them")
    run_.add_argument(
        "--csv", type=Path, metavar="FILE", help="output file of the observations (default: standard output)"
    )
    run_.add_argument(
        "--processes", type=int, default=1, metavar="N", help="processes that work on files in parallel (default: 1)"
    )
    run_.add_argument("--threshold", type=float, help="lowest confidence to report (default: the detector's own)")
    run_.add_argument(
        "--overlap", type=float, default=0.0, metavar="SECONDS", help="overlap of BirdNET's windows (default: 0)"
    )
    run_.add_argument("--second-opinion", action="store_true", help="confirm shots and saws with YAMNet")
    run_.add_argument("--latitude", type=float, help="place of the recordings, for BirdNET's species range filter")
    run_.add_argument("--longitude", type=float, help="see --latitude")
    run_.add_argument(
        "--utc-offset", default="+08:00", help="of the recorders' clocks where a file has none (default: +08:00)"
    )
    run_.add_argument(
        "--time-zone", default="", help="of these clocks instead, with summer time, such as Europe/Berlin"
    )
    run_.add_argument("--deployment", default="", help="deploymentID (default: the name of each file's folder)")
    run_.add_argument("--folder", type=Path, help="folder of weights (default: models in the data folder)")
    run_.add_argument("--registry", type=Path, action="append", default=[], help="additional registry file")
    run_.add_argument(
        "--json",
        action="store_true",
        help="end with a JSON line: files, observations, unusable, hours, seconds",
    )
    add_trust(run_)
    run_.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run a detector on the given files and folders; return 1 if no file was usable."""
    from pipelines.camtrap_dp.observations import ObservationsFile
    from pipelines.detect.batch import examine_all, files_in, passed_over_in

    if arguments.json and arguments.csv is None:
        raise SettingsError("--json needs --csv FILE, since both would go to standard output")
    if arguments.processes < 1:
        raise SettingsError(f"--processes {arguments.processes}: expected 1 or more")
    task = _task(arguments)
    began = time.monotonic()
    count = sum(1 for _ in files_in(arguments.files, task.suffixes))
    if not count:
        from models.registry import WeightsError

        others = passed_over_in(arguments.files, task.suffixes)
        raise WeightsError(
            f"{', '.join(map(str, arguments.files))}: no file with a suffix of {', '.join(sorted(task.suffixes))}"
            + (f", but {others}" if others else "")
        )
    progress = _Progress(count)
    with _table(arguments.csv) as file, _unusable_report(arguments.csv) as report_unusable:
        table = ObservationsFile(file, arguments.deployment, datetime.now(UTC))
        with progress.bar():
            for examined in examine_all(files_in(arguments.files, task.suffixes), task, arguments.processes):
                table.write(examined)
                if examined.problem or examined.remark:
                    report_unusable(examined)
                progress.add(examined)
    seconds = time.monotonic() - began
    print(
        f"{progress.files} files, {progress.hours:.2f} hours of sound and film, {table.rows} observations, "
        f"{progress.unusable} not usable, {seconds:.0f} s",
        file=sys.stderr,
    )
    if arguments.json:
        report = {
            "files": progress.files,
            "observations": table.rows,
            "unusable": progress.unusable,
            "hours": round(progress.hours, 4),
            "seconds": round(seconds, 1),
        }
        print(json.dumps(report))
    return int(progress.unusable == progress.files)


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
    given = {"latitude": arguments.latitude, "longitude": arguments.longitude, "utc_offset": arguments.utc_offset}
    given["time_zone"] = arguments.time_zone
    try:  # validated like the place and clock of a station
        station = msgspec.convert({"name": "a", "deployment": "a", **given}, StationOptions)
    except msgspec.ValidationError as error:
        raise SettingsError(f"--{describe_validation_error(error).replace('_', '-')}") from error
    place: Location | None = station.location
    data = data_folder()
    return ExaminationTask(
        model=arguments.model,
        registry=load_registry(*arguments.registry),
        weights=arguments.folder or data / "models",
        cache=data / "cache",
        zone=station.recorders_zone,
        location=place,
        threshold=arguments.threshold,
        overlap_s=arguments.overlap,
        threads=0 if arguments.processes == 1 else 1,
        second_opinion=arguments.second_opinion,
    )


class _Progress:
    """Counts examined files and shows a progress bar; without a terminal, prints progress lines instead."""

    def __init__(self, expected: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.files = self.unusable = 0
        self.hours = 0.0
        self._began = self._printed_at = time.monotonic()
        self._expected = expected
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._line = self._bar.add_task("", total=expected)

    @contextlib.contextmanager
    def bar(self) -> Iterator[None]:
        with self._bar:
            yield

    def add(self, examined: "Examined") -> None:
        self.files += 1
        self.hours += examined.duration_s / 3600
        self.unusable += bool(examined.problem)
        text = f"{self.unusable} not usable" if self.unusable else ""
        if self.hours:
            text += f" {3600 * self.hours / max(1e-3, time.monotonic() - self._began):.0f} x real time"
        self._bar.update(self._line, advance=1, description=text.strip())
        if self._bar.disable and time.monotonic() - self._printed_at > _PROGRESS_INTERVAL_S:
            self._printed_at = time.monotonic()
            print(f"{self.files} of {self._expected} files {text}".strip(), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _table(path: Path | None) -> Iterator[TextIO]:
    """Open the table of observations for writing: the file ``path``, or standard output if ``path`` is None.

    The table is written to a temporary file, which is renamed at the end; an existing file is never overwritten.
    """
    if path is None:
        yield sys.stdout
        return
    if path.exists():
        raise SettingsError(f"--csv {path}: already exists; choose another name")
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        yield file
    part.replace(path)


@contextlib.contextmanager
def _unusable_report(table: Path | None) -> Iterator["_UnusableReport"]:
    path = table.with_name(f"{table.stem}-unusable.csv") if table else None
    report = _UnusableReport(path)
    try:
        yield report
    finally:
        report.close()


class _UnusableReport:
    """Lists unusable and damaged input files in a CSV file beside the table of observations, or on standard error."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __call__(self, examined: "Examined") -> None:
        from captures.folder_listing import printable_name

        if self._path is None:
            print(f"{printable_name(examined.path)}: {examined.problem or examined.remark}", file=sys.stderr)
            return
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["filePath", "reason"])
        reason = examined.problem or examined.remark
        csv.writer(self._file).writerow([printable_name(examined.path), printable_name(reason)])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
