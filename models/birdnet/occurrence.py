"""BirdNET's occurrence model: the probability of each species at a location in a week of the year."""

import calendar
import math
import os
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import Location

_ANY_WEEK = -1.0  # the value for the whole year in BirdNET's occurrence model


def week_of_48(moment: datetime) -> int:
    """Return the week, 1..48, in which a date lies; BirdNET divides the year into 48 weeks."""
    days = 366 if calendar.isleap(moment.year) else 365
    return math.ceil(moment.timetuple().tm_yday / days * 48)


class OccurrenceModel:
    """BirdNET's occurrence model, which gives the probability of each species by location and week."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(os.fspath(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        # A station queries the same location and week all day.
        self._cached = lru_cache(maxsize=64)(self._infer)

    def probabilities(self, location: Location, moment: datetime | None) -> NDArray[np.float32]:
        """Return the probability of each class at a location in the week that contains ``moment``.

        Without a ``moment``, return the probability for the whole year.

        Returns:
            (6522,) in 0..1, in the order of the labels.
        """
        week = _ANY_WEEK if moment is None else float(week_of_48(moment))
        return self._cached(location.latitude, location.longitude, week)

    def _infer(self, latitude: float, longitude: float, week: float) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, np.array([[latitude, longitude, week]], np.float32))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output)[0], np.float32)
