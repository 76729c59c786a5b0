import pytest

from bench.ratios import cell, median_of, median_ratio, ratio


@pytest.mark.parametrize(("one", "other"), [(1.0, 0.0), (0.0, 0.0), (None, 2.0), (2.0, None)])
def test_a_ratio_to_nothing_is_none(one: float | None, other: float | None) -> None:
    assert ratio(one, other) is None


def test_a_median_is_that_of_the_values_present() -> None:
    assert median_of([None, 3.0, 1.0, None, 2.0]) == 2
    assert median_of([None]) is None


def test_a_median_ratio_is_that_of_the_pairs_in_which_both_were_measured() -> None:
    assert median_ratio([4.0, None, 9.0, 8.0], [2.0, 1.0, 0.0, 2.0]) == 3
    assert median_ratio([], []) is None


def test_a_missing_value_is_a_dash_in_the_table() -> None:
    assert (cell(None, ".1f"), cell(1234.5, ",.0f")) == ("-", "1,234")
