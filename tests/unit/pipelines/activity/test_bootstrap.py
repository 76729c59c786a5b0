"""Bootstrap on a grid: as exact densities give, and fast enough for a page."""

import numpy as np
import pytest

from pipelines.activity.bootstrap import activity_curve, overlap_with_interval
from pipelines.activity.density import TURN, TooFewTimes, fit_density
from pipelines.activity.overlap import activity_level_interval, overlap, overlap_interval
from tests.statistics_reference import Array


def drawn(seed: int, *peaks: tuple[float, float, int]) -> Array:
    random = np.random.default_rng(seed)
    return np.concatenate([random.vonmises(at, kappa, count) for at, kappa, count in peaks]) % TURN


DEER = drawn(1, (1.7, 4, 60), (4.6, 6, 80))
BOAR = drawn(2, (0.8, 3, 70), (5.2, 3, 60))


def test_a_curve_is_the_exact_density_with_an_interval_around_it() -> None:
    curve, exact = activity_curve(DEER), fit_density(DEER)
    expected = exact.at(curve.hours * TURN / 24) * TURN / 24
    assert np.abs(curve.density - expected).max() < 0.005 * expected.max()
    assert curve.density.mean() * 24 == pytest.approx(1, abs=1e-3)
    assert (curve.low <= curve.high).all()
    assert (curve.low <= curve.density + 0.02).all() and (curve.high >= curve.density - 0.02).all()


def test_activity_level_and_its_interval_are_those_of_the_exact_bootstrap() -> None:
    level, exact = activity_curve(DEER).level, activity_level_interval(DEER, repeats=300)
    assert level.value == pytest.approx(exact.value, abs=2e-3)
    assert (level.low, level.high) == pytest.approx((exact.low, exact.high), abs=0.02)


@pytest.mark.parametrize("size", [30, 140])
def test_overlap_and_its_interval_are_those_of_the_exact_bootstrap(size: int) -> None:
    first, second = DEER[::4][:size] if size < 50 else DEER, BOAR
    found, exact = overlap_with_interval(first, second), overlap_interval(first, second, repeats=200)
    assert found.value == exact.value == overlap(first, second)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.03)


def test_many_times_are_compared_on_the_grid() -> None:
    first = drawn(3, (1.7, 4, 1_500), (4.6, 6, 1_500))
    assert overlap_with_interval(first, BOAR, repeats=20).value == pytest.approx(overlap(first, BOAR), abs=5e-3)


def test_times_around_midnight_are_one_peak() -> None:
    curve = activity_curve(drawn(4, (0.0, 8, 100)))
    assert curve.hours[curve.density.argmax()] in [*np.arange(0, 1, 24 / 128), *np.arange(23, 24, 24 / 128)]


def test_one_time_repeated_has_no_density() -> None:
    with pytest.raises(TooFewTimes):
        activity_curve(np.full(40, 1.0))
