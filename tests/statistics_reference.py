"""Reads the reference results of R packages, for the tests of statistics."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Reference:
    """Inputs and results of other programs in a folder, one sub-folder for each package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file by column name."""
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def column(self, name: str, column: str, **only: str) -> Array:
        """Return a column of numbers, of the rows whose columns have the values of ``only``; NA is NaN."""
        rows = (row for row in self.rows(name) if all(row[key] == value for key, value in only.items()))
        return np.array([_number(row[column]) for row in rows])

    def matrix(self, name: str) -> Array:
        """Return all columns of a CSV file as an array (rows, columns); NA is NaN."""
        return np.array([[_number(cell) for cell in row.values()] for row in self.rows(name)])


def _number(text: str) -> float:
    return float("nan") if text in ("NA", "") else float(text)
