"""Ratios and medians of measurements of which some may be missing."""

from collections.abc import Iterable, Sequence
from statistics import median


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Return the quotient; None if a value is missing or the denominator is zero."""
    return numerator / denominator if numerator is not None and denominator else None


def median_of(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are not None, or None if there are none."""
    present = [value for value in values if value is not None]
    return median(present) if present else None


def median_ratio(numerators: Sequence[float | None], denominators: Sequence[float | None]) -> float | None:
    """Return the median of the ratios of the pairs in which both values are present."""
    return median_of(ratio(one, other) for one, other in zip(numerators, denominators, strict=True))


def cell(value: float | None, specification: str) -> str:
    """Return the text of a table cell; "-" for a missing value."""
    return "-" if value is None else format(value, specification)
