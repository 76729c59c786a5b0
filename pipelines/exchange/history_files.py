"""Writes a detection history as the matrices that R packages for occupancy take: detections, counts and effort."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.populations.detection_history import DetectionHistory

NOT_KNOWN = "NA"  # as R writes it


def write_history(history: DetectionHistory, first: date, folder: Path) -> None:
    """Write a detection history into a new folder.

    ``history.csv`` has 1 or 0 for each place (row) and occasion (o1, o2, ...), as ``detectionHistory`` of camtrapR;
    ``counts.csv`` the largest number of animals in a record; ``effort.csv`` the sensor-days. Without effort all three
    have NA. ``occasions.csv`` has the days of each occasion.

    Args:
        history: The detection history.
        first: Local day with the number 0.
        folder: The folder.

    Raises:
        FileExistsError: the folder exists.
    """
    folder.mkdir(parents=True)
    found = history.occasions
    for name, matrix, digits in (
        ("history", history.detected, 0),
        ("counts", history.animals, 0),
        ("effort", found.effort_days, 6),
    ):
        heading = ["place", *(f"o{number}" for number in range(1, matrix.shape[1] + 1))]
        _write(folder / f"{name}.csv", heading, _rows(found.places, matrix, digits))
    days = (
        [place, f"o{number + 1}", *_limits(first + timedelta(days=int(begin)), number, found.days)]
        for place, begin in zip(found.places, found.first_days, strict=True)
        for number in range(history.detected.shape[1])
    )
    _write(folder / "occasions.csv", ["place", "occasion", "first_day", "last_day"], days)


def _rows(places: Sequence[str], matrix: NDArray[np.float64], digits: int) -> Iterable[list[str]]:
    for place, row in zip(places, matrix.tolist(), strict=True):
        yield [place, *(NOT_KNOWN if value != value else f"{value:.{digits}f}" for value in row)]


def _limits(begin: date, number: int, days: int) -> tuple[str, str]:
    first = begin + timedelta(days=number * days)
    return first.isoformat(), (first + timedelta(days=days - 1)).isoformat()


def _write(path: Path, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(heading)
        table.writerows(rows)
