"""The page of seasons: first and last record, peak week, calendar, and rates by phase of the moon."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from i18n.taxonomy import display_name
from pipelines.activity.phenology import FEWEST_DAYS, daily_rates
from pipelines.activity.season_report import SeasonReport, season_report
from pipelines.trends.counted_records import count_records
from review.activity_request import most_recorded
from review.analysis_form import form_values
from review.charts.season_charts import calendar_chart, phase_chart
from review.page import ContextDependency, PageContext
from review.season_request import SeasonDependency
from review.security.access_rules import ANALYSE, access

router = APIRouter(include_in_schema=False)
SHOWN_CALENDARS = 5  # the latest


@router.get("/seasons")
@access(ANALYSE)
def seasons(context: ContextDependency, asked: SeasonDependency) -> HTMLResponse:
    """Show the seasons of a species, by default of the one with the most records."""
    everything = count_records(context.site.store, replace(asked.trend, taxon=""))
    request = replace(asked.trend, taxon=asked.trend.taxon or most_recorded(everything))
    taxa = (name for name, kind in everything.records.taxa if kind == "animal")
    values = form_values(context, request, taxa, without=("taxon",)) | {
        "begins_in": asked.begins_in,
        "months": [(number, context.language.month(number)) for number in range(1, 13)],
        "report": None,
    }
    if request.taxon:
        report = season_report(context.site.store, request, asked.begins_in)
        values |= _drawn(context, report)
    return context.render("seasons.html", values)


def _drawn(context: PageContext, report: SeasonReport) -> dict[str, Any]:
    language, taxon = context.language, report.request.taxon
    name = display_name(taxon, taxon, language.code)
    shown = report.seasons[-SHOWN_CALENDARS:]
    largest = max((rate or 0.0 for season in shown for rate in daily_rates(season)), default=0.0)
    calendars = []
    for season in reversed(shown):
        title = language.translate("%(name)s, %(season)s: records by day", name=name, season=season.name)
        drawn = (calendar_chart(season, largest, title, language, width) for width in (920, 350))
        calendars.append((season, *drawn))
    moon_title = language.translate("%(name)s by phase of the moon", name=name)
    return {
        "report": report,
        "name": name,
        "calendars": calendars,
        "largest": largest,
        "fewest_days": FEWEST_DAYS,
        "moon_title": moon_title,
        "moon": phase_chart(report.phases, moon_title, language),
    }
