"""Progress and account of `wildpost import card`, as text."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from captures.folder_listing import describe_passed_over

if TYPE_CHECKING:
    from pipelines.card_import.card_files import CardFile, CardListing
    from pipelines.card_import.clock_corrections import ClockCorrection
    from pipelines.card_import.report import CardReport, DeploymentReport

_INTERVAL_S = 30.0  # between progress lines where standard error is not a terminal
_SHOWN = 3  # file names of one reason
_FORM = "%Y-%m-%d %H:%M"


class ProgressLine:
    """Progress of an import, with the time left: a bar on a terminal, otherwise a line now and then."""

    def __init__(self, listing: "CardListing") -> None:
        """Add up the expected work."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._files = len(listing.files)
        self._total_s = sum(file.cost_s for file in listing.files)
        self._done_s = 0.0
        self._began = self._printed_at = time.monotonic()
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._line = self._bar.add_task("", total=self._total_s)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress during the ``with`` block."""
        self._began = self._printed_at = time.monotonic()
        with self._bar:
            yield

    def add(self, file: "CardFile", report: "CardReport") -> None:
        """Count a file."""
        self._done_s += file.cost_s
        text = f"{report.done} of {self._files} files"
        if report.aside:
            text += f", {len(report.aside)} set aside"
        self._bar.update(self._line, completed=self._done_s, description=text)
        now = time.monotonic()
        if self._bar.disable and now - self._printed_at > _INTERVAL_S:
            self._printed_at = now
            left_s = (now - self._began) * (self._total_s / max(1e-6, self._done_s) - 1)
            print(f"{text}, about {_duration(left_s)} left", file=sys.stderr, flush=True)


def print_listing(listing: "CardListing", corrections: "Sequence[ClockCorrection]") -> None:
    """Print what an import would take in."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    places = {file.deployment.key: file.deployment for file in listing.files}
    for file in listing.files:
        of_one = counts.setdefault(file.deployment.key, {})
        of_one[file.family] = of_one.get(file.family, 0) + 1
    for key, of_one in sorted(counts.items()):
        place = places[key].location_name
        name = f"{key[0]} {key[1]}" + (f" ({place})" if place and place != key[0] else "")
        print(f"{name}: {_counts(of_one)}")
    for correction in corrections:
        print(f"{correction.deployment.station} {correction.deployment.deployment}: {correction}")
    _print_left_out(listing.unplaced, listing.passed_over)
    _print_reasons("cannot be used", listing.bad)


def print_report(report: "CardReport", seconds: float) -> None:
    """Print the account of an import."""
    from pipelines.card_import.report import files_without_time

    rate = f", {report.done / seconds:.1f} files a second" if report.done and seconds > 1 else ""
    print(
        f"{report.done} of {report.files} files in {_duration(seconds)}{rate}: {report.new} new, {report.before} "
        f"imported before, {report.repeated} twice on the card, {len(report.aside)} set aside"
    )
    for (station, deployment), one in sorted(report.deployments.items()):
        print(f"\n{station} {deployment}")
        _print_deployment(one)
    for (station, deployment), number in sorted(report.elsewhere.items()):
        print(f"\n{number} files were imported before as {station} {deployment}, and stay there")
    if unknown := files_without_time(report):
        print(f"\n{unknown} files have no capture time that can be relied on; see --clock")
    _print_left_out(report.unplaced, report.passed_over)
    _print_reasons("set aside", report.aside)
    _print_reasons("imported, though", report.partly)


def _print_deployment(one: "DeploymentReport") -> None:
    if one.new:
        print(f"  new: {_counts(one.new)}; {one.events} events: {_found(one.found)}")
    if one.before:
        print(f"  imported before: {one.before} files")
    if one.first is not None and one.last is not None:
        print(f"  captures from {one.first:{_FORM}} to {one.last:{_FORM}} (UTC{one.first:%z})")
    for correction in one.corrections:
        print(f"  {correction}")
    if one.outside:
        print(f"  {one.outside} captures are outside the dates of the deployment: is the clock right?")
    for sensor, text in sorted(one.effort.items()):
        print(f"  effort of the {sensor}: {text}")


def _print_left_out(unplaced: Mapping[str, int], passed_over: Mapping[str, int]) -> None:
    if unplaced:
        print("\nwithout a deployment, and not imported:")
        for reason, number in sorted(unplaced.items()):
            print(f"  {number} {'file' if number == 1 else 'files'}: {reason}")
    if passed_over:
        print(f"\nnot taken as captures: {describe_passed_over(passed_over)}")


def _print_reasons(what: str, problems: Mapping[str, str]) -> None:
    from pipelines.card_import.report import reasons_of

    if not problems:
        return
    print(f"\n{what}:")
    for reason, paths in reasons_of(problems).items():
        shown = ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
        print(f"  {len(paths)}: {reason}: {shown}")


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(
        f"{numbers[name]} {name}{'s' if numbers[name] != 1 else ''}"
        for name in ("picture", "film", "recording")
        if numbers.get(name)
    )


def _found(numbers: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{number} {name}" for name, number in sorted(numbers.items(), key=lambda item: -item[1])) or "none"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
