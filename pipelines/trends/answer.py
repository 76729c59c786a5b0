"""The whole answer to a request for a trend: rates, counts, effort and a comparison."""

from datetime import date
from typing import Any

from ingest.store.port import Store
from pipelines.trends.comparison import Comparison, compare
from pipelines.trends.counting import count_trends
from pipelines.trends.effort import with_effort
from pipelines.trends.plain import plain_comparison, plain_trend
from pipelines.trends.rate_trend import rate_trend
from pipelines.trends.request import TrendRequest


def comparison_with(
    store: Store, request: TrendRequest, days: tuple[date, date] | None, stations: tuple[str, ...]
) -> Comparison | None:
    """Compare a request with other days, with other stations, or with both; None if neither is given."""
    return compare(store, request, days, stations) if days or stations else None


def trend_answer(
    store: Store, request: TrendRequest, days: tuple[date, date] | None, stations: tuple[str, ...]
) -> dict[str, Any]:
    """Return rates, detections by day and hour, effort and comparison as JSON-compatible types.

    Args:
        store: The store.
        request: The request.
        days: First and last day of a second side to compare with; None: no such side.
        stations: Stations of the second side; empty: no such side.
    """
    comparison = comparison_with(store, request, days, stations)
    taxa = (request.taxon,) if request.taxon else ()
    counted = count_trends(store, request.first, request.last, request.zone, request.stations, taxa)
    return {
        **with_effort(counted, store, request.stations).plain(),
        **plain_trend(rate_trend(store, request)),
        "comparison": plain_comparison(comparison) if comparison else None,
    }
