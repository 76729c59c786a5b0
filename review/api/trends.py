"""Addresses for programs: counts, rates with intervals and effort, and comparisons, as JSON and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from pipelines.exchange.spreadsheet import without_formula
from pipelines.trends.answer import trend_answer
from pipelines.trends.counting import count_trends
from pipelines.trends.effort import with_effort
from pipelines.trends.rate_trend import Cell, RateTrend, rate_trend
from review.page import ContextDependency
from review.security.access_rules import ANALYSE, access
from review.trend_parameters import OtherSideDependency, SpanDependency, TrendDependency

router = APIRouter()
Row = Sequence[str | int | float | None]
_NUMBER = {"type": ["number", "null"]}
_CELL = {
    "effort_days": _NUMBER | {"description": "Sensor-days in which a sensor watched; null: not known, which is not 0"},
    "rate": _NUMBER | {"description": "Independent records per 100 sensor-days; null without effort"},
    "not_known": {"type": ["string", "null"], "description": "Why the rate is not known"},
    "interval": {"type": ["array", "null"], "items": _NUMBER, "description": "Lower and upper limit of the rate"},
    "counted": {"type": ["integer", "null"], "description": "Independent records on days with known effort"},
    "independent": {"type": "integer", "description": "Independent records on all days"},
    "captures": {"type": "integer", "description": "Captures with a trusted time"},
    "animals": {"type": "integer", "description": "Sum of the largest group of each independent record"},
    "share": _NUMBER | {"description": "Share in the independent records of all animals"},
}
_PERIOD = {
    "period": {"type": "string", "description": "2026-05-31, 2026-W22, 2026-05, 2026-spring or 2026"},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "whole": {"type": "boolean", "description": "Whether the request includes the whole period"},
    **_CELL,
}
_PERIODS = {"type": "array", "items": {"type": "object", "properties": _PERIOD}}
_SERIES = {
    "name": {"type": ["string", "null"], "description": "Accepted name of the taxon, station, place or habitat"},
    "observation_type": {"type": ["string", "null"]},
    "total": {"type": "object", "properties": _CELL},
    "periods": _PERIODS,
}
TREND_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "total": {"type": "object", "properties": _CELL},
        "periods": _PERIODS,
        "series": {"type": "array", "items": {"type": "object", "properties": _SERIES}},
        "simulated_stations": {"type": "array", "items": {"type": "string"}, "description": "Counted, but not real"},
        "changes": {"type": "array", "description": "Changes of models and sensors", "items": {"type": "object"}},
        "untrusted_times": {"type": "integer", "description": "Captures left out because their time is not trusted"},
        "comparison": {"type": ["object", "null"], "description": "Ratio of two rates, its interval and p-value"},
        "days": {"type": "array", "items": {"type": "string", "format": "date"}},
        "effort": {"type": "array", "items": _NUMBER, "description": "Sensor-seconds of watching on each day"},
        "taxa": {"type": "array", "items": {"type": "object"}, "description": "Detections of each taxon by day, hour"},
    },
}


@router.get("/api/trends", responses={200: {"content": {"application/json": {"schema": TREND_SCHEMA}}}})
@access(ANALYSE)
def trends_json(context: ContextDependency, request: TrendDependency, other: OtherSideDependency) -> Response:
    """Return rates by period with effort and intervals, detections by day and hour, and the effort of each day.

    What is not known is null. `wildpost trends` requests this while the server has the database locked.
    """
    return JSONResponse(trend_answer(context.site.store, request, other.days, other.stations))


@router.get("/trends.csv", responses={200: {"content": {"text/csv": {}}}})
@access(ANALYSE)
def trends_csv(context: ContextDependency, span: SpanDependency) -> Response:
    """Return detections by day, and the sensor-seconds of watching, as CSV; unknown effort is empty."""
    context.note("exported", context.address)
    store, taxa = context.site.store, (span.taxon,) if span.taxon else ()
    found = with_effort(
        count_trends(store, span.first, span.last, span.zone, span.stations, taxa), store, span.stations
    )
    rows = [
        [day.isoformat(), one.taxon, one.observation_type, detections, effort]
        for one in found.taxa
        for day, detections, effort in zip(found.days, one.by_day, found.effort, strict=True)
    ]
    heading = ["day", "taxon", "observation_type", "detections", "effort"]
    return csv_response(heading, rows, f"wildpost-trends-{span.first}-{span.last}.csv")


@router.get("/rates.csv", responses={200: {"content": {"text/csv": {}}}})
@access(ANALYSE)
def rates_csv(context: ContextDependency, request: TrendDependency) -> Response:
    """Return rates by period of each series, with effort and intervals, as CSV; what is not known is empty."""
    context.note("exported", context.address)
    trend = rate_trend(context.site.store, request)
    heading = [
        *("series", "period", "from", "to", "independent", "captures", "animals"),
        *("effort_days", "rate", "low", "high", "share"),
    ]
    mark = "simulated-" if trend.simulated else ""
    return csv_response(heading, _rate_rows(trend), f"wildpost-rates-{mark}{request.first}-{request.last}.csv")


def _rate_rows(trend: RateTrend) -> Iterable[Row]:
    for series in trend.series:
        for period, cell in zip(trend.periods, series.cells, strict=False):
            yield [series.name, period.name, period.first.isoformat(), period.last.isoformat(), *_cell_row(cell)]


def _cell_row(cell: Cell) -> Row:
    rate = cell.rate
    return [
        *(cell.independent, cell.captures, cell.animals),
        *(rate.effort_days or None, rate.per_100_days, rate.low, rate.high, cell.share),
    ]


def csv_response(heading: Sequence[str], rows: Iterable[Row], name: str) -> Response:
    """Return a table as a CSV file to be saved, which a spreadsheet program can open."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(heading)
    for row in rows:
        table.writerow([without_formula(cell) if isinstance(cell, str) else cell for cell in row])
    # Excel needs the byte order mark to recognise UTF-8.
    return Response(
        "\ufeff" + text.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
