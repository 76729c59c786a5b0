"""Activity over the day equals what the R packages overlap, activity and circular give."""

import numpy as np
import pytest

from pipelines.activity.circular_tests import (
    mean_direction,
    rayleigh_test,
    resultant_length,
    von_mises_concentration,
    watson_two_sample,
    watson_uniformity,
    watson_wheeler_test,
)
from pipelines.activity.density import (
    TURN,
    ActivityDensity,
    TooFewTimes,
    bandwidth,
    day_radians,
    fit_density,
)
from pipelines.activity.overlap import Estimator, activity_level_interval, overlap, overlap_interval
from tests.statistics_reference import Array, Reference

ESTIMATORS: tuple[Estimator, ...] = ("Dhat1", "Dhat4", "Dhat5")


def kerinci(reference: Reference, zone: str, species: str) -> Array:
    return TURN * reference.column("overlap/kerinci.csv", "Time", Zone=zone, Sps=species)


def test_overlaps_of_72_pairs_equal_those_of_the_package_overlap(reference: Reference) -> None:
    rows = reference.rows("overlap/kerinci_overlap_all_pairs.csv")
    assert len(rows) == 72
    for row in rows:
        first, second = (kerinci(reference, row["zone"], row[name]) for name in "ab")
        assert bandwidth(first) == pytest.approx(float(row["bw_a"]), abs=1e-3)
        for estimator in ESTIMATORS:
            assert overlap(first, second, estimator) == pytest.approx(float(row[estimator]), abs=1e-3), row


def test_overlaps_of_the_published_simulation(reference: Reference) -> None:
    tiger, pig = (reference.column(f"overlap/sim_{name}Obs.csv", "time_rad") for name in ("tiger", "pig"))
    assert [overlap(tiger, pig, one) for one in ESTIMATORS] == pytest.approx([0.29086, 0.26920, 0.22750], abs=1e-3)
    assert [bandwidth(tiger), bandwidth(pig)] == pytest.approx([29.9065, 10.42076], abs=1e-3)
    at = np.array([0, np.pi / 2, np.pi, 3 * np.pi / 2])
    expected = [0.02440435, 0.44522913, 0.02179983, 0.50513539]
    assert ActivityDensity(tiger, 30.0).at(at) == pytest.approx(expected, abs=1e-7)


def test_activity_levels_and_densities_equal_those_of_the_package_activity(reference: Reference) -> None:
    for row in reference.rows("activity/activity_levels.csv"):
        name = row["species"]
        times = TURN * reference.column("activity/BCItime_8species.csv", "time", species=name)
        fit = fit_density(times)
        assert fit.kappa == pytest.approx(float(row["bw"]), abs=1e-3)
        assert fit.activity_level == pytest.approx(float(row["act"]), abs=1e-5)
        points = reference.column(f"activity/pdf_{name}.csv", "x")
        assert fit.at(points) == pytest.approx(reference.column(f"activity/pdf_{name}.csv", "y"), abs=1e-4)
        assert mean_direction(times) == pytest.approx(float(row["cmean"]), abs=1e-9)


def test_overlaps_of_barro_colorado(reference: Reference) -> None:
    ocelot, brocket, paca = (
        TURN * reference.column("activity/BCItime_8species.csv", "time", species=name)
        for name in ("ocelot", "brocket", "paca")
    )
    found = [overlap(a, b, "Dhat4") for a, b in ((ocelot, brocket), (ocelot, paca), (brocket, paca))]
    assert found == pytest.approx([0.7721654, 0.7028122, 0.4809836], abs=1e-3)


def test_the_bootstrap_interval_of_tiger_and_macaque(reference: Reference) -> None:
    tiger, macaque = (kerinci(reference, "2", name) for name in ("tiger", "macaque"))
    found = overlap_interval(tiger, macaque, "Dhat4", repeats=400)
    assert found.value == pytest.approx(0.42055, abs=1e-3)
    assert (found.low, found.high) == pytest.approx((0.319, 0.521), abs=0.02)  # 10,000 repeats in R
    assert overlap_interval(tiger, macaque, "Dhat4", repeats=50) == overlap_interval(tiger, macaque, "Dhat4", 50)


def test_the_interval_of_an_activity_level_contains_it(reference: Reference) -> None:
    times = TURN * reference.column("activity/BCItime_8species.csv", "time", species="coati")
    found = activity_level_interval(times, repeats=200)
    assert found.low <= found.value <= found.high
    assert (found.low, found.high) == pytest.approx((0.3545, 0.4301), abs=0.03)


def test_circular_tests_of_turtles_equal_those_of_the_package_circular(reference: Reference) -> None:
    turtles = np.radians(reference.column("circular/turtles.csv", "arrival_deg"))
    test = rayleigh_test(turtles)
    assert (test.statistic, test.p_value) == pytest.approx((0.8186496297, 3e-4), abs=1e-5)
    assert watson_uniformity(turtles) == pytest.approx(0.4544, abs=5e-5)
    assert mean_direction(turtles) == pytest.approx(TURN - 0.7463844781)
    assert resultant_length(turtles) == pytest.approx(0.8186496297)
    # R approximates the inverse of I1 / I0: 3.109; the exact value solves the equation.
    assert von_mises_concentration(turtles) == pytest.approx(3.109, abs=0.02)


def test_two_samples_equal_those_of_the_package_circular() -> None:
    first = np.array([1.2, 1.4, 1.6, 2.1, 2.2, 2.5, 2.8, 3.0, 3.3, 3.9])
    second = np.array([3.1, 3.3, 3.5, 3.9, 4.0, 4.2, 4.4, 5.0, 5.2, 5.9, 6.1])
    broken_ties = second + 1e-9  # R breaks ties in this order for U², at random for W
    assert watson_two_sample(first, broken_ties) == pytest.approx(0.3189, abs=5e-5)
    of_orders = [watson_wheeler_test([first + a, second + b]).statistic for a, b in ((0, 1e-9), (1e-9, 0))]
    assert min(of_orders) < 10.100646 < max(of_orders)


def test_activity_around_midnight_is_one_peak() -> None:
    hours = day_radians(np.array([23.0, 23.5, 0.0, 0.5, 1.0]))
    assert mean_direction(hours) == pytest.approx(0, abs=1e-9) or mean_direction(hours) == pytest.approx(TURN)
    assert fit_density(hours).at(np.array([0.0]))[0] > fit_density(hours).at(np.array([np.pi]))[0]
    assert fit_density(hours).on_grid(1_000).sum() * TURN / 1_000 == pytest.approx(1)


@pytest.mark.parametrize("times", [[], [1.0], [2.0, 2.0, 2.0]])
def test_too_few_times_have_no_density(times: list[float]) -> None:
    with pytest.raises(TooFewTimes, match="different times"):
        fit_density(np.array(times))
