"""A grid of points over zones, in metres, for areas of some hundred kilometres."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, radians, sqrt

import numpy as np
from numpy.typing import NDArray
from shapely import contains_xy
from shapely.geometry.base import BaseGeometry

from contract import Location

METRES_PER_DEGREE = 111_195.0  # of a great circle on a sphere of 6,371 km
MAX_CELLS = 20_000
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Points inside one zone, each in the middle of a square cell.

    Attributes:
        points_m: (n, 2) metres east and north of ``origin``.
        cell_m: Length of a cell's side.
        origin: Origin of the metres.
    """

    points_m: Array
    cell_m: float
    origin: Location

    @property
    def cell_ha(self) -> float:
        """Area of a cell in hectares."""
        return self.cell_m**2 / 10_000

    def metres(self, places: Sequence[Location]) -> Array:
        """Return places as metres east and north of the origin, (n, 2)."""
        return to_metres(places, self.origin)

    def location(self, index: int) -> Location:
        """Return the position of a point."""
        east, north = self.points_m[index]
        scale = METRES_PER_DEGREE * cos(radians(self.origin.latitude))
        return Location(
            latitude=self.origin.latitude + float(north) / METRES_PER_DEGREE,
            longitude=self.origin.longitude + float(east) / scale,
        )


def to_metres(places: Sequence[Location], origin: Location) -> Array:
    """Return places as metres east and north of an origin, (n, 2), by the equirectangular projection."""
    scale = METRES_PER_DEGREE * cos(radians(origin.latitude))
    return np.array(
        [
            ((place.longitude - origin.longitude) * scale, (place.latitude - origin.latitude) * METRES_PER_DEGREE)
            for place in places
        ]
    ).reshape(-1, 2)


def grid_over(area: BaseGeometry, wanted_cell_m: float) -> Grid:
    """Return a grid over a polygon in degrees; cells are larger than wanted if there would be over ``MAX_CELLS``.

    A polygon smaller than a cell has one point inside it.
    """
    west, south, east, north = area.bounds
    origin = Location(latitude=(south + north) / 2, longitude=(west + east) / 2)
    scale = METRES_PER_DEGREE * cos(radians(origin.latitude))
    width, height = (east - west) * scale, (north - south) * METRES_PER_DEGREE
    cell = max(wanted_cell_m, sqrt(width * height / MAX_CELLS))
    xs = (np.arange(ceil(width / cell)) + 0.5) * cell - width / 2
    ys = (np.arange(ceil(height / cell)) + 0.5) * cell - height / 2
    x, y = (axis.ravel() for axis in np.meshgrid(xs, ys))
    inside = contains_xy(area, origin.longitude + x / scale, origin.latitude + y / METRES_PER_DEGREE)
    points = np.column_stack([x[inside], y[inside]])
    if not len(points):
        inner = area.representative_point()
        points = to_metres([Location(latitude=inner.y, longitude=inner.x)], origin)
    return Grid(points, cell, origin)
