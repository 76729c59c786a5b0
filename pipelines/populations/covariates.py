"""Covariates of places, read from a table of one's own, and the effort of an occasion as covariate of detection."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import InvalidInput
from pipelines.populations.detection_history import DetectionHistory

Array = NDArray[np.float64]
MAX_PLACES = 10_000
PLACE_COLUMNS = ("place", "station", "Station")


class BadCovariates(InvalidInput):
    """A table of covariates cannot be used; the message names the file, the row and what was expected."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """Covariates with mean 0 and standard deviation 1, so that intercepts are those of an average place.

    Attributes:
        names: Names of the columns.
        values: (..., k) covariates; NaN where one is not known.
        means: Mean of each column before.
        deviations: Standard deviation of each column before, with n - 1.
    """

    names: tuple[str, ...]
    values: Array
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def read_covariates(path: Path, names: Sequence[str]) -> Mapping[str, tuple[float, ...]]:
    """Read columns of numbers from a CSV file whose column "place" or "station" names the place; empty is not known.

    Raises:
        BadCovariates: the file cannot be read, has no such column, names a place twice or has more than
            ``MAX_PLACES``, or a cell is no number.
    """
    found: dict[str, tuple[float, ...]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or ()
            key = next((name for name in PLACE_COLUMNS if name in columns), None)
            if key is None or (missing := [name for name in names if name not in columns]):
                wanted = "place or station" if key is None else ", ".join(missing)
                raise BadCovariates(f"{path}: columns {', '.join(columns)}: expected {wanted} among them")
            for number, row in enumerate(table, 2):
                place = row[key] or ""
                if place in found or len(found) >= MAX_PLACES:
                    raise BadCovariates(
                        f"{path}, line {number}: {place!r}: expected each place once, at most {MAX_PLACES} places"
                    )
                found[place] = tuple(_number(row[name], f"{path}, line {number}, {name}") for name in names)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCovariates(f"{path}: {error}") from error
    return found


def _number(text: str | None, where: str) -> float:
    if text is None or text.strip() in ("", "NA"):
        return float("nan")
    try:
        value = float(text)
    except ValueError as error:
        raise BadCovariates(f"{where}: {text!r}: expected a number") from error
    if not np.isfinite(value):
        raise BadCovariates(f"{where}: {text!r}: expected a finite number")
    return value


def of_places(history: DetectionHistory, table: Mapping[str, Sequence[float]], names: Sequence[str]) -> Standardised:
    """Return covariates of the places of a history (places, k); places that are not in the table have NaN.

    Raises:
        BadCovariates: a covariate has the same value everywhere, so that nothing can depend on it.
    """
    empty = (float("nan"),) * len(names)
    places = history.occasions.places
    values = np.array([table.get(place, empty) for place in places]).reshape(len(places), len(names))
    return _standardised(tuple(names), values)


def effort_of_occasions(history: DetectionHistory) -> Standardised:
    """Return the logarithm of the sensor-days of each place and occasion (places, occasions, 1).

    Raises:
        BadCovariates: all occasions have the same effort.
    """
    return _standardised(("log effort",), np.log(history.occasions.effort_days)[:, :, None])


def _standardised(names: tuple[str, ...], values: Array) -> Standardised:
    flat = values.reshape(-1, values.shape[-1])
    for name, column in zip(names, flat.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) < 2 or np.ptp(known) <= 1e-9 * max(1.0, float(np.abs(known).max())):
            raise BadCovariates(
                f"{name}: {len(known)} values, all the same: expected values that differ between places"
            )
    means, deviations = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0, ddof=1)
    return Standardised(names, (values - means) / deviations, tuple(means.tolist()), tuple(deviations.tolist()))
