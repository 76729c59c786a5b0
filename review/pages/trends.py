"""The page of trends: rates by period with intervals, effort and gaps, as a chart and as tables."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from i18n.taxonomy import display_name
from i18n.trend_words import period_name
from pipelines.trends.answer import comparison_with
from pipelines.trends.comparison import Comparison
from pipelines.trends.periods import UNITS
from pipelines.trends.rate_trend import RateTrend, rate_trend
from pipelines.trends.request import TrendRequest
from review.analysis_form import form_values
from review.charts.rate_chart import PHONE, WIDE, rate_chart
from review.page import ContextDependency, PageContext
from review.security.access_rules import ANALYSE, access
from review.trend_parameters import OtherSideDependency, TrendDependency

router = APIRouter(include_in_schema=False)
SHOWN_PERIODS = 60  # rows of the table of periods, the latest first
SHOWN_SERIES = 200  # rows of the table of species or places; CSV and JSON have all


@router.get("/trends")
@access(ANALYSE)
def trends(context: ContextDependency, request: TrendDependency, other: OtherSideDependency) -> HTMLResponse:
    """Show rates by period as a chart and as tables."""
    store = context.site.store
    comparison = comparison_with(store, request, other.days, other.stations)
    trend = rate_trend(store, request)
    return context.render("trends.html", _values(context, trend, comparison))


def _values(context: PageContext, trend: RateTrend, comparison: Comparison | None) -> Mapping[str, Any]:
    language, request = context.language, trend.request
    name = display_name(request.taxon, request.taxon, language.code) if request.taxon else ""
    title = (
        language.translate("%(name)s: independent records per 100 sensor-days", name=name)
        if name
        else language.translate("All species: independent records per 100 sensor-days")
    )
    drawn = (trend.periods, trend.overall.cells, trend.changes, request.unit, title, language)
    return {
        **form_values(context, request, (name for name, _ in trend.taxa)),
        "trend": trend,
        "title": title,
        "name": name,
        "chart": rate_chart(*drawn, WIDE),
        "phone_chart": rate_chart(*drawn, PHONE),
        "rows": [
            (period_name(period, request.unit, language), period, cell)
            for period, cell in zip(trend.periods, trend.overall.cells, strict=True)
        ][::-1][:SHOWN_PERIODS],
        "series": trend.series[:SHOWN_SERIES],
        "units": UNITS,
        "comparison": comparison,
        "year_before": _year_before(request),
        "sensor_names": sorted({*trend.sensors, *request.sensors}),
    }


def _year_before(request: TrendRequest) -> tuple[date, date] | None:
    """Return the same days of the year before; None if they overlap the requested ones."""
    first, last = (_same_day_before(day) for day in (request.first, request.last))
    return (first, last) if last < request.first else None


def _same_day_before(day: date) -> date:
    return day.replace(year=day.year - 1) if (day.month, day.day) != (2, 29) else date(day.year - 1, 2, 28)
