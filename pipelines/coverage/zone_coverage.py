"""Which part of each zone is within reach of a station, and where further stations would reach most.

The places are chosen one after the other, each the one that adds most (Nemhauser, Wolsey and Fisher 1978,
doi:10.1007/BF01588971: at least 63 % of what the best choice of all would reach).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from contract import Location
from pipelines.coverage.grid import Grid, grid_over

CELLS_PER_REACH = 5.0  # a cell is a fifth of the reach wide
INCIDENT_WEIGHT = 5.0  # a cell within reach of a past incident counts like this many cells more, for each incident


@dataclass(frozen=True, slots=True)
class ZoneArea:
    """A zone: its id and its polygon in degrees, longitude first."""

    id: str
    area: BaseGeometry


@dataclass(frozen=True, slots=True)
class ZoneCoverage:
    """Reach of the stations in one zone.

    Attributes:
        zone: Id of the zone.
        area_ha: Area in hectares.
        covered_share: Share of the area within reach of a station, 0 to 1.
        stations: Stations in the zone or in reach of it.
        incidents: Past incidents in the zone or in reach of it.
    """

    zone: str
    area_ha: float
    covered_share: float
    stations: tuple[str, ...]
    incidents: int


@dataclass(frozen=True, slots=True)
class ProposedPlace:
    """A place for a further station, with its reason.

    Attributes:
        zone: Id of the zone.
        location: The place.
        new_ha: Hectares of the zone that come within reach.
        incidents: Past incidents within its reach.
        nearest_station: The nearest station that exists; "" if there is none.
        nearest_m: Its distance in metres; None if there is none.
    """

    zone: str
    location: Location
    new_ha: float
    incidents: int
    nearest_station: str
    nearest_m: float | None


class _ZoneGrid:
    def __init__(
        self, zone: ZoneArea, stations: Sequence[tuple[str, Location]], incidents: Sequence[Location], reach_m: float
    ) -> None:
        self.zone, self._reach_m = zone.id, reach_m
        self.grid: Grid = grid_over(zone.area, reach_m / CELLS_PER_REACH)
        self._tree = cKDTree(self.grid.points_m)
        near = self._tree.sparse_distance_matrix(self._tree, reach_m, output_type="coo_matrix")
        ones = np.ones(len(near.row))
        count = len(self.grid.points_m)
        self._near = csr_array((ones, (near.row, near.col)), shape=(count, count))  # 1 where one cell reaches another
        self._names = [name for name, _ in stations]
        self._stations = self.grid.metres([place for _, place in stations])
        self._incidents = self.grid.metres(incidents)
        self._weights = np.ones(len(self.grid.points_m))
        self.covered = np.zeros(len(self.grid.points_m), bool)
        self._in_reach: set[str] = set()
        for name, point in zip(self._names, self._stations, strict=True):
            cells = self._cells_near(point)
            self.covered[cells] = True
            if len(cells):
                self._in_reach.add(name)
        self._incidents_in_reach = 0
        for point in self._incidents:
            cells = self._cells_near(point)
            self._weights[cells] += INCIDENT_WEIGHT
            self._incidents_in_reach += bool(len(cells))

    def coverage(self) -> ZoneCoverage:
        count = len(self.grid.points_m)
        area_ha = count * self.grid.cell_ha
        share = float(self.covered.mean())
        return ZoneCoverage(self.zone, area_ha, share, tuple(sorted(self._in_reach)), self._incidents_in_reach)

    def best(self) -> tuple[float, int]:
        """Return the weight that the best point would add, and its index."""
        open_weights = np.where(self.covered, 0.0, self._weights)
        gains = self._near @ open_weights
        index = int(np.argmax(gains))
        return float(gains[index]), index

    def take(self, index: int) -> ProposedPlace:
        """Add a station at a point, and say what it adds."""
        point = self.grid.points_m[index]
        cells = self._cells_near(point)
        new = int((~self.covered[cells]).sum())
        self.covered[cells] = True
        near = 0
        if len(self._incidents):
            near = int((np.hypot(*(self._incidents - point).T) <= self._reach_m).sum())
        name, distance = "", None
        if len(self._stations):
            distances = np.hypot(*(self._stations - point).T)
            name, distance = self._names[int(np.argmin(distances))], float(distances.min())
        place = self.grid.location(index)
        return ProposedPlace(self.zone, place, new * self.grid.cell_ha, near, name, distance)

    def _cells_near(self, point: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.array(self._tree.query_ball_point(point, self._reach_m), dtype=np.intp)


def zone_coverage(
    zones: Sequence[ZoneArea],
    stations: Sequence[tuple[str, Location]],
    incidents: Sequence[Location],
    reach_m: float,
    further: int = 0,
) -> tuple[list[ZoneCoverage], list[ProposedPlace]]:
    """Return the reach of the stations in each zone, and the best places for some further stations.

    Args:
        zones: The zones.
        stations: Names and places of the stations.
        incidents: Places of past incidents.
        reach_m: Distance in metres up to which a station notices something.
        further: Number of further stations; fewer places are returned if everything is within reach.

    Raises:
        ValueError: the reach is not positive.
    """
    if not reach_m > 0:
        raise ValueError(f"reach of {reach_m} m: expected more than 0")
    grids = [_ZoneGrid(zone, stations, incidents, reach_m) for zone in zones]
    found = [grid.coverage() for grid in grids]
    best = [grid.best() for grid in grids]
    places: list[ProposedPlace] = []
    while len(places) < further and best:
        chosen = max(range(len(grids)), key=lambda number: best[number][0])
        if best[chosen][0] <= 0:
            break
        places.append(grids[chosen].take(best[chosen][1]))
        best[chosen] = grids[chosen].best()
    return found, places
