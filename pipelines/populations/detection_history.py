"""Detection histories: whether a species was recorded at each place in each sampling occasion, and the effort."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
FirstDay = Literal["own", "survey"]


@dataclass(frozen=True, slots=True)
class Occasions:
    """Sampling occasions of places, and the effort in each.

    Attributes:
        places: Names of the places with effort, in the order of the rows.
        row: Number of the row of each place that was given (n,); -1: it has no effort.
        first_days: (places,) number of the day on which the first occasion of a place begins.
        days: Length of an occasion in days.
        effort_days: (places, occasions) sensor-days; NaN if there were none: not known.
    """

    places: tuple[str, ...]
    row: Integers
    first_days: Integers
    days: int
    effort_days: Array

    def cells(self, place: Integers, day: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Return the cell (n,) of records, row by row, and which (n,) lie in an occasion with effort."""
        rows, count = self.row[place], self.effort_days.shape[1]
        occasion = (day - self.first_days[rows]) // self.days
        inside = (rows >= 0) & (occasion >= 0) & (occasion < count)
        cell = np.where(inside, rows * count + occasion, 0)
        return cell, inside & ~np.isnan(self.effort_days.ravel()[cell])


def occasions(
    places: Sequence[str], effort_days: Array, occasion_days: int = 7, first_day: FirstDay = "own"
) -> Occasions:
    """Divide days into sampling occasions.

    A day of effort counts by its real part: a camera that was set up at noon has half a day, as by the noon rule of
    camtrapR (Niedballa et al. 2016, doi:10.1111/2041-210X.12600).

    Args:
        places: Names of the places.
        effort_days: (places, days) sensor-days of each place on each day; 0: not known. Places without any are left
            out.
        occasion_days: Length of a sampling occasion.
        first_day: Where the first occasion begins: on each place's "own" first day with effort, or on the first day of
            the "survey" on which any place has effort.

    Raises:
        ValueError: no place has effort, or the occasions have no length.
    """
    watched = effort_days > 0
    chosen = np.flatnonzero(watched.any(axis=1))
    if not len(chosen) or occasion_days < 1:
        raise ValueError(f"{len(chosen)} places with effort, occasions of {occasion_days} days: expected at least 1")
    begin = watched[chosen].argmax(axis=1)
    end = effort_days.shape[1] - watched[chosen, ::-1].argmax(axis=1)
    first = begin if first_day == "own" else np.full(len(chosen), begin.min())
    count = int(-(-(end - first).max() // occasion_days))
    row = np.full(len(places), -1)
    row[chosen] = np.arange(len(chosen))
    effort = np.zeros((len(chosen), count))
    where, when = np.nonzero(watched)
    np.add.at(effort, (row[where], (when - first[row[where]]) // occasion_days), effort_days[where, when])
    names = tuple(places[index] for index in chosen.tolist())
    return Occasions(names, row, np.asarray(first), occasion_days, np.where(effort > 0, effort, np.nan))


@dataclass(frozen=True, slots=True)
class DetectionHistory:
    """Records of a species by place and occasion, as occupancy models take them.

    Attributes:
        occasions: The occasions, with their effort.
        records: (places, occasions) number of records; NaN without effort: not known.
        animals: (places, occasions) largest number of animals in one record; NaN without effort.
    """

    occasions: Occasions
    records: Array
    animals: Array

    @property
    def detected(self) -> Array:
        """(places, occasions) 1 if the species was recorded, 0 if not; NaN without effort."""
        return np.where(np.isnan(self.records), np.nan, self.records > 0)


def detection_history(found: Occasions, place: Integers, day: Integers, animals: Integers) -> DetectionHistory:
    """Build the detection history of one species.

    A record counts in an occasion with effort, also on one of its days without effort, as in camtrapR; in an occasion
    without effort it does not.

    Args:
        found: The occasions.
        place: (n,) number of the place of each record, in the order in which places were given.
        day: (n,) number of the day of each record.
        animals: (n,) number of animals.
    """
    cell, known = found.cells(place, day)
    shape = found.effort_days.shape
    number = np.bincount(cell[known], minlength=found.effort_days.size).reshape(shape).astype(float)
    largest = np.zeros(found.effort_days.size)
    np.maximum.at(largest, cell[known], animals[known])
    unknown = np.isnan(found.effort_days)
    return DetectionHistory(found, np.where(unknown, np.nan, number), np.where(unknown, np.nan, largest.reshape(shape)))
