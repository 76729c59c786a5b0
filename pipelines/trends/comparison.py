"""Comparison of a taxon's rate in two periods or at two groups of stations."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from ingest.store.port import Store
from pipelines.trends.changes import Change, changes
from pipelines.trends.counting import check_days
from pipelines.trends.rate_trend import overall_rate
from pipelines.trends.rates import Rate, RateComparison, compare_rates
from pipelines.trends.request import BadRequest, TrendRequest


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: days and stations (empty: all), and the rate."""

    first: date
    last: date
    stations: tuple[str, ...]
    rate: Rate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two rates.

    Attributes:
        sides: Both sides; the first is the one that was asked for.
        result: Ratio with interval and p-value; None if one side has no known effort.
        changes: Changes of models and sensors from the earliest to the latest day, at the stations of either side.
    """

    sides: tuple[Side, Side]
    result: RateComparison | None
    changes: tuple[Change, ...]


def compare(
    store: Store,
    request: TrendRequest,
    days: tuple[date, date] | None = None,
    stations: tuple[str, ...] = (),
    now: datetime | None = None,
) -> Comparison:
    """Compare the rate of a request with that of other days, of other stations, or of both.

    The test is the exact conditional test of two Poisson rates (``compare_rates``); the effect size is their ratio.

    Args:
        store: The store.
        request: The first side.
        days: First and last day of the second side; None: those of the request.
        stations: Stations of the second side; empty: those of the request.
        now: The current time; None: the system clock.

    Raises:
        BadRequest: both sides share days and stations, so that they are not independent of each other.
        BadPeriod: the days are not a period.
    """
    first, last = days or (request.first, request.last)
    check_days(first, last)
    other = replace(request, first=first, last=last, stations=stations or request.stations)
    if first <= request.last and last >= request.first and _share_stations(request.stations, other.stations):
        raise BadRequest(
            f"{first} to {last}: these days overlap {request.first} to {request.last} at the same stations; expected "
            "two periods, or two groups of stations, that have nothing in common"
        )
    sides = [Side(one.first, one.last, one.stations, overall_rate(store, one, now)) for one in (request, other)]
    known = all(side.rate.per_100_days is not None for side in sides)
    span = min(request.first, first), max(request.last, last)
    both = () if not (request.stations and other.stations) else (*request.stations, *other.stations)
    noted = changes(store.models_in_use(), store.deployments(), *span, request.zone, both)
    result = compare_rates(sides[0].rate, sides[1].rate, request.confidence) if known else None
    return Comparison((sides[0], sides[1]), result, tuple(noted))


def _share_stations(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not one or not other or bool(set(one) & set(other))
