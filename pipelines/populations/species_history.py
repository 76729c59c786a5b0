"""Detection histories of a species from stored records and effort."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from contract.errors import InvalidInput
from ingest.store.port import Store
from pipelines.populations.detection_history import DetectionHistory, FirstDay, detection_history, occasions
from pipelines.trends.counted_records import count_records, effort_table
from pipelines.trends.places import groups
from pipelines.trends.request import TrendRequest

HistoryPlace = Literal["station", "place"]
LONGEST_OCCASION_DAYS = 366


class NoHistory(InvalidInput):
    """A detection history cannot be built from the stored records; the message says why."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """How a period is divided.

    Attributes:
        occasion_days: Length of a sampling occasion.
        first_day: Where the first occasion begins, see ``occasions``.
        by: Whether a row is a "station" or a "place" with all its stations.

    Raises:
        NoHistory: the occasions have no length, or are too long.
    """

    occasion_days: int = 7
    first_day: FirstDay = "survey"
    by: HistoryPlace = "station"

    def __post_init__(self) -> None:
        if not 1 <= self.occasion_days <= LONGEST_OCCASION_DAYS:
            raise NoHistory(f"occasions of {self.occasion_days} days: expected 1 to {LONGEST_OCCASION_DAYS}")


@dataclass(frozen=True, slots=True)
class SpeciesHistory:
    """Detection history of one species, and what is not in it.

    Attributes:
        request: What was asked for; its taxon is one taxon.
        history: The detection history, from independent records.
        untrusted: Captures left out because their time is not trusted.
        without_effort: Independent records left out because nothing is known of the effort in their occasion.
    """

    request: TrendRequest
    history: DetectionHistory
    untrusted: int
    without_effort: int


def species_history(
    store: Store, request: TrendRequest, options: HistoryOptions, now: datetime | None = None
) -> SpeciesHistory:
    """Read the independent records and the effort of a species and divide them by place and occasion.

    Args:
        store: The store.
        request: Days, stations, sensors, taxon and independence; the taxon is an accepted name.
        options: How the period is divided.
        now: The current time; None: the system clock. Later effort is ignored: only a wrong clock reports it.

    Raises:
        NoHistory: no station has effort in the period.
    """
    counted = count_records(store, request, (request.taxon,))
    effort = effort_table(store, request, now)
    place_of = groups(store.deployments(), "place") if options.by == "place" else {}
    names = [place_of.get(station, station) for station in counted.records.stations]
    places = sorted({*names, *(place_of.get(station, station) for station in effort.stations)})
    by_day = np.zeros((len(places), effort.by_day.shape[1]))
    np.add.at(by_day, _rows([place_of.get(station, station) for station in effort.stations], places), effort.by_day)
    if not by_day.any():
        raise NoHistory(
            f"{request.first} to {request.last}: no station is known to have worked; without effort, nothing is known "
            "of a place where a species was not recorded"
        )
    kept = counted.independent
    place = _rows(names, places)[counted.records.station[kept]]
    history = detection_history(
        occasions(places, by_day, options.occasion_days, options.first_day),
        place,
        counted.day[kept],
        counted.animals[kept],
    )
    without_effort = int(kept.sum() - np.nansum(history.records))
    return SpeciesHistory(request, history, counted.untrusted, without_effort)


def _rows(names: Sequence[str], places: Sequence[str]) -> np.typing.NDArray[np.int64]:
    return np.array([places.index(name) for name in names], np.int64)
