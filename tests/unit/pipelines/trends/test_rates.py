"""Rates with exact intervals, and comparisons of two rates."""

import math

import numpy as np
import pytest

from pipelines.trends.negative_binomial import fit_negative_binomial
from pipelines.trends.rates import compare_rates, poisson_rate
from tests.statistics_reference import Reference


def test_no_effort_is_not_known_instead_of_zero() -> None:
    rate = poisson_rate(0, 0)
    assert (rate.per_100_days, rate.low, rate.high) == (None, None, None)


def test_none_seen_has_an_upper_limit_that_falls_with_effort() -> None:
    few, many = poisson_rate(0, 10), poisson_rate(0, 1000)
    assert few.per_100_days == many.per_100_days == few.low == 0
    assert few.high is not None
    assert many.high is not None
    assert few.high == pytest.approx(100 * many.high)


@pytest.mark.parametrize(("count", "effort", "confidence"), [(-1, 1, 0.95), (1, -1, 0.95), (1, 1, 1.0)])
def test_impossible_values_are_named(count: int, effort: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="expected a count"):
        poisson_rate(count, effort, confidence)


def test_rates_equal_those_of_r(reference: Reference) -> None:
    for row in reference.rows("poisson/exact_poisson_rate_per_100_days.csv"):
        rate = poisson_rate(int(row["count"]), float(row["effort_days"]))
        expected = [float(row[name]) for name in ("rate_per_100", "lcl", "ucl")]
        assert [rate.per_100_days, rate.low, rate.high] == pytest.approx(expected, rel=1e-9)


def test_comparisons_equal_those_of_r(reference: Reference) -> None:
    for row in reference.rows("poisson/two_rate_exact_tests.csv"):
        first, second = (poisson_rate(int(row[f"c{n}"]), float(row[f"t{n}"])) for n in "12")
        found = compare_rates(first, second)
        expected = [float(row[name]) for name in ("rate_ratio", "lcl", "ucl", "p")]
        assert [found.ratio, found.low, found.high, found.p_value] == pytest.approx(expected, rel=1e-9)


def test_a_comparison_without_records_or_effort() -> None:
    assert compare_rates(poisson_rate(0, 5), poisson_rate(0, 9)).p_value == 1
    assert compare_rates(poisson_rate(3, 5), poisson_rate(0, 9)).ratio == math.inf
    with pytest.raises(ValueError, match="expected both above 0"):
        compare_rates(poisson_rate(3, 5), poisson_rate(0, 0))


def test_a_negative_binomial_regression_equals_that_of_r(reference: Reference) -> None:
    rows = reference.rows("poisson/quine.csv")
    columns = [("Eth", "N"), ("Sex", "M"), ("Age", "F1"), ("Age", "F2"), ("Age", "F3"), ("Lrn", "SL")]
    design = np.array([[1.0, *(float(row[name] == value) for name, value in columns)] for row in rows])
    fit = fit_negative_binomial(np.array([float(row["Days"]) for row in rows]), design)
    assert fit.coefficients == pytest.approx(
        [2.89458002, -0.56937170, 0.08232026, -0.44842815, 0.08808016, 0.35690095, 0.29210914], abs=1e-5
    )
    assert fit.standard_errors == pytest.approx(
        [0.22842461, 0.15333336, 0.15991501, 0.23974659, 0.23619303, 0.24832436, 0.18647471], abs=1e-5
    )
    assert fit.theta == pytest.approx(1.274892646, abs=1e-5)
    assert 2 * fit.log_likelihood == pytest.approx(-1093.15101829, abs=1e-6)


def test_effort_is_an_offset() -> None:
    rng = np.random.default_rng(7)
    effort = rng.uniform(1, 50, 400)
    fit = fit_negative_binomial(rng.poisson(0.2 * effort).astype(float), np.ones((400, 1)), effort)
    assert np.exp(fit.coefficients[0]) == pytest.approx(0.2, rel=0.05)
    low, high = fit.interval()
    assert low[0] < np.log(0.2) < high[0]


@pytest.mark.parametrize(
    ("design", "effort", "told"),
    [(np.ones((3, 2)), None, "depend"), (np.ones((2, 1)), None, "rows"), (np.ones((3, 1)), np.zeros(3), "above 0")],
)
def test_a_regression_that_cannot_be_fitted_is_named(design: object, effort: object, told: str) -> None:
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=told):
        fit_negative_binomial(np.array([1.0, 2.0, 3.0]), design, effort)  # type: ignore[arg-type]
