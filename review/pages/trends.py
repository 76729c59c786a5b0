"""The page of trends: charts and tables with the number of detections by day and by hour."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse, JSONResponse

from i18n.taxonomy import display_name
from ingest.store.port import EventQuery
from pipelines.trends.counting import LONGEST_DAYS, Trends, count_trends, first_of
from pipelines.trends.effort import with_effort
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest

router = APIRouter()
DAYS = 30
MAX_SERIES = 8  # taxa with their own colour in the chart; the table lists all


@dataclass(frozen=True, slots=True)
class Period:
    """Days, station and taxon whose detections are counted, and the time zone of days and hours.

    An empty station or taxon selects all.
    """

    first: date
    last: date
    station: str
    taxon: str
    zone: ZoneInfo


def requested_period(context: ContextDependency, station: str = "", taxon: str = "") -> Period:
    """Parse the period, station and taxon of a request; the default period is 30 days up to the newest capture."""
    parameters = context.request.query_params
    last = _day(parameters.get("to", "")) or _newest_day(context)
    days = parameters.get("days", "")
    length = int(days) if days.isascii() and days.isdigit() and len(days) <= 5 else DAYS
    first = _day(parameters.get("from", "")) or first_of(last, length if 0 < length <= LONGEST_DAYS else DAYS)
    return Period(first, last, station, taxon.strip(), _zone(parameters.get("zone", "")) or context.site.zone)


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Asia" is a folder
        raise InvalidRequest("zone") from error


def _newest_day(context: PageContext) -> date:
    """Return the local day of the newest capture, or today if it is listed in the future.

    For captures from old memory cards, a period that ends today would be empty.
    """
    now = datetime.now(context.site.zone)
    newest = [one.listed_at for one in context.site.store.listing(EventQuery(limit=1))]
    return min(max(newest, default=now), now).astimezone(context.site.zone).date()


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest("day") from error


PeriodDependency = Annotated[Period, Depends(requested_period)]


def count(context: PageContext, period: Period) -> Trends:
    """Count the detections of the given days, station and taxon."""
    return count_trends(
        context.site.store,
        period.first,
        period.last,
        period.zone,
        (period.station,) if period.station else (),
        (period.taxon,) if period.taxon else (),
    )


def count_with_effort(context: PageContext, period: Period) -> Trends:
    """Count detections and add the effort of each day, the time in which sensors watched."""
    stations = (period.station,) if period.station else ()
    return with_effort(count(context, period), context.site.store, stations)


def chart_data(found: Trends, context: PageContext) -> Mapping[str, Any]:
    """Return the chart data: counts by day and by hour of the most frequent taxa, and of all other taxa together."""
    translate, code = context.language.translate, context.language.code
    series = [
        {"name": display_name(one.taxon, one.taxon, code), "by_day": one.by_day, "by_hour": one.by_hour}
        for one in found.taxa[:MAX_SERIES]
    ]
    if rest := found.taxa[MAX_SERIES:]:
        series.append(
            {
                "name": translate("other"),
                "by_day": [sum(values) for values in zip(*(one.by_day for one in rest), strict=True)],
                "by_hour": [sum(values) for values in zip(*(one.by_hour for one in rest), strict=True)],
            }
        )
    return {"days": [day.isoformat() for day in found.days], "series": series}


@router.get("/trends")
def trends(context: ContextDependency, period: PeriodDependency) -> HTMLResponse:
    """Show detection counts as charts and as a table."""
    # One count of all taxa fills the list of choices and includes the selected taxon.
    everything = count(context, replace(period, taxon=""))
    found = everything.only(period.taxon) if period.taxon else everything
    return context.render(
        "trends.html",
        {
            "period": period,
            "trends": found,
            "hour_unknown": sum(one.hour_unknown for one in found.taxa),
            "choices": everything.taxa,
            "stations": context.site.station_names(),
            "chart": json.dumps(chart_data(found, context), ensure_ascii=False),
            "plotly": version("plotly"),
            "period_query": str(context.request.url.query),
        },
    )


@router.get("/api/trends")
def trends_json(context: ContextDependency, period: PeriodDependency) -> Response:
    """Return detection counts and effort, the time in which sensors watched, as JSON.

    ``wildpost trends`` requests them while the server has the database locked.
    """
    return JSONResponse(count_with_effort(context, period).plain())


@router.get("/trends.csv")
def trends_csv(context: ContextDependency, period: PeriodDependency) -> Response:
    """Return detection counts and effort, the time in which sensors watched, by day as CSV.

    The effort is empty for days on which it is not known.
    """
    found, text = count_with_effort(context, period), io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["day", "taxon", "observation_type", "detections", "effort"])
    for one in found.taxa:
        # The apostrophe prevents a spreadsheet from reading the name as a formula.
        taxon = f"'{one.taxon}" if one.taxon[:1] in ("=", "+", "-", "@") else one.taxon
        rows.writerows(
            [day.isoformat(), taxon, one.observation_type, detections, effort]
            for day, detections, effort in zip(found.days, one.by_day, found.effort, strict=True)
        )
    name = f"wildpost-trends-{period.first}-{period.last}.csv"
    # Excel needs the byte order mark to recognise UTF-8.
    return Response(
        "\ufeff" + text.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
