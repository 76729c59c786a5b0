"""Parts of zones within reach, and places for further stations: by area, by past incidents, and with their reason."""

from math import pi

import pytest
from shapely import box
from shapely.geometry import MultiPolygon

from contract import Location
from pipelines.coverage.grid import MAX_CELLS, METRES_PER_DEGREE, grid_over, to_metres
from pipelines.coverage.zone_coverage import ZoneArea, zone_coverage

ORIGIN = Location(latitude=0.0, longitude=117.0)


def at(east_m: float, north_m: float) -> Location:
    """A place near the equator, where a degree is as long in both directions."""
    return Location(latitude=north_m / METRES_PER_DEGREE, longitude=117 + east_m / METRES_PER_DEGREE)


def square(west_m: float, south_m: float, side_m: float, name: str = "core") -> ZoneArea:
    low, high = at(west_m, south_m), at(west_m + side_m, south_m + side_m)
    return ZoneArea(name, box(low.longitude, low.latitude, high.longitude, high.latitude))


def test_the_share_within_reach_is_that_of_the_circle() -> None:
    ((found,), _) = zone_coverage([square(0, 0, 10_000)], [("oak", at(5_000, 5_000))], [], reach_m=2_000)
    assert found.area_ha == pytest.approx(10_000, rel=0.02)
    assert found.covered_share == pytest.approx(pi * 2_000**2 / 10_000**2, rel=0.07)
    assert (found.stations, found.incidents) == (("oak",), 0)


def test_a_station_outside_reaches_into_a_zone_and_one_far_away_does_not() -> None:
    stations = [("near", at(-500, 5_000)), ("far", at(-5_000, 5_000))]
    ((found,), _) = zone_coverage([square(0, 0, 10_000)], stations, [at(1, 1), at(-9_000, 0)], reach_m=1_000)
    assert (found.stations, found.incidents) == (("near",), 1)


def test_a_further_station_goes_where_most_is_out_of_reach() -> None:
    zones = [square(0, 0, 3_000, "small"), square(20_000, 0, 12_000, "large")]
    _, places = zone_coverage(zones, [], [], reach_m=2_000, further=3)
    assert [place.zone for place in places] == ["large"] * 3
    assert places[0].new_ha == pytest.approx(pi * 200 * 200 / 100, rel=0.1)
    assert places[0].nearest_m is None
    found = to_metres([place.location for place in places], ORIGIN)
    apart = [((found[i] - found[j]) ** 2).sum() ** 0.5 for i in range(3) for j in range(i)]
    assert min(apart) > 2_500  # they share little of their circles


def test_a_past_incident_draws_a_station_and_is_its_reason() -> None:
    incidents = [at(9_000, 9_000), at(9_100, 9_000), at(9_000, 9_100)]
    _, (place,) = zone_coverage([square(0, 0, 10_000)], [("oak", at(2_000, 2_000))], incidents, 1_000, further=1)
    assert place.incidents == 3
    assert place.nearest_station == "oak"
    assert place.nearest_m == pytest.approx(9_900, rel=0.1)


def test_places_end_when_everything_is_within_reach() -> None:
    found, places = zone_coverage([square(0, 0, 1_000)], [], [], reach_m=5_000, further=9)
    assert (found[0].covered_share, len(places)) == (0.0, 1)
    assert zone_coverage([], [("oak", at(0, 0))], [], 100, further=2) == ([], [])


def test_zones_of_any_size_and_form_have_a_grid() -> None:
    tiny = grid_over(box(117, 31, 117.00001, 31.00001), 500)
    assert len(tiny.points_m) == 1
    huge = grid_over(box(110, 25, 120, 35), 10)
    assert MAX_CELLS / 2 < len(huge.points_m) <= MAX_CELLS + 600
    parts = MultiPolygon([box(117, 31, 117.01, 31.01), box(117.5, 31.5, 117.51, 31.51)])
    places = [grid_over(parts, 300).location(index) for index in range(len(grid_over(parts, 300).points_m))]
    assert all(place.latitude < 31.02 or place.latitude > 31.49 for place in places)


def test_a_reach_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="reach of 0 m"):
        zone_coverage([], [], [], 0)
