"""Trends as JSON-compatible types, for programs."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pipelines.trends.changes import Change
from pipelines.trends.comparison import Comparison
from pipelines.trends.periods import Period
from pipelines.trends.rate_trend import Cell, RateTrend
from pipelines.trends.rates import DAYS, Rate
from pipelines.trends.request import TrendRequest

NO_EFFORT = "no effort is known"
TOO_LITTLE_EFFORT = "less than one sensor-day of effort, or than half of one in a single day"


def plain_trend(trend: RateTrend) -> dict[str, Any]:
    """Return rates by period; what is not known is null."""
    asked = trend.request
    return {
        "taxon": asked.taxon or None,
        "from": asked.first.isoformat(),
        "to": asked.last.isoformat(),
        "time_zone": asked.zone.key,
        "by": asked.unit,
        "group_by": asked.group_by,
        "stations": list(asked.stations),
        "sensors": dict(trend.sensors),
        "per_days": DAYS,
        "independence": plain_independence(asked),
        "interval_method": "exact Poisson" if asked.method == "poisson" else asked.method,
        "confidence": asked.confidence,
        "min_confidence": asked.min_confidence,
        "untrusted_times": trend.untrusted,
        "total": plain_cell(trend.overall.total),
        "periods": _periods(trend.periods, trend.overall.cells),
        "series": [
            {
                "name": one.name or None,
                "observation_type": one.observation_type,
                "total": plain_cell(one.total),
                "periods": _periods(trend.periods, one.cells),
            }
            for one in trend.series
        ],
        "changes": [plain_change(one) for one in trend.changes],
        "simulated_stations": list(trend.simulated),
    }


def plain_request(request: TrendRequest) -> dict[str, Any]:
    """Return the days, stations and sensors of a request."""
    return {
        "from": request.first.isoformat(),
        "to": request.last.isoformat(),
        "time_zone": request.zone.key,
        "stations": list(request.stations),
        "sensors": list(request.sensors),
    }


def plain_independence(request: TrendRequest) -> dict[str, Any]:
    """Return when records of one taxon count as independent."""
    return {"minutes": request.independence / timedelta(minutes=1), "compared_to": request.compared_to}


def _periods(periods: Sequence[Period], cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [
        {
            "period": period.name,
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "whole": period.whole,
            **plain_cell(cell),
        }
        for period, cell in zip(periods, cells, strict=False)
    ]


def plain_cell(cell: Cell) -> dict[str, Any]:
    """Return the counts and the rate of a cell."""
    return {
        **plain_rate(cell.rate),
        "independent": cell.independent,
        "captures": cell.captures,
        "animals": cell.animals,
        "share": cell.share,
    }


def plain_rate(rate: Rate) -> dict[str, Any]:
    """Return a rate; if it is not known, its values are null and ``not_known`` says why."""
    return {
        "effort_days": rate.effort_days or None,
        "rate": rate.per_100_days,
        "interval": None if rate.low is None or rate.high is None else [rate.low, rate.high],
        "counted": rate.count if rate.effort_days else None,
        "not_known": not_known(rate),
    }


def not_known(rate: Rate) -> str | None:
    """Return why a rate is not known; None if it is known."""
    if rate.per_100_days is not None:
        return None
    return TOO_LITTLE_EFFORT if rate.too_little_effort else NO_EFFORT


def plain_change(change: Change) -> dict[str, Any]:
    """Return a change of models or sensors."""
    return {
        "kind": change.kind,
        "from": change.first.isoformat(),
        "to": change.last.isoformat(),
        "before": change.before or None,
        "after": change.after,
        "stations": list(change.stations),
    }


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison; an infinite limit is null."""
    result = comparison.result
    return {
        "sides": [
            {
                "from": side.first.isoformat(),
                "to": side.last.isoformat(),
                "stations": list(side.stations),
                **plain_rate(side.rate),
            }
            for side in comparison.sides
        ],
        "test": "exact conditional test of two Poisson rates",
        "ratio": _finite(result.ratio) if result else None,
        "interval": [_finite(result.low), _finite(result.high)] if result else None,
        "p_value": result.p_value if result else None,
        "changes": [plain_change(one) for one in comparison.changes],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
