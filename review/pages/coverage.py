"""The page of blind spots: hours nobody watches, zones out of reach, places for further stations."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from pipelines.coverage.blind_spots import LARGEST_REACH_M, CoverageRequest, blind_spots
from pipelines.coverage.working_hours import HOURS, hour_ranges
from review.charts.coverage_chart import PHONE, WIDE, hours_chart
from review.page import ContextDependency
from review.security.access_rules import PLAN, access
from review.trend_parameters import SpanDependency, parse_number

router = APIRouter(include_in_schema=False)
FURTHER = 3
MAX_FURTHER = 10
SHOWN_STATIONS = 200  # rows of the table; `wildpost coverage` has all
Reach = Annotated[str, Query(alias="reach_m", description="Distance in metres up to which a station notices something")]
Further = Annotated[str, Query(description="Number of further stations")]


@router.get("/coverage")
@access(PLAN)
def coverage(
    context: ContextDependency, span: SpanDependency, reach: Reach = "", further: Further = ""
) -> HTMLResponse:
    """Show the working hours of the stations, and with zones their reach and places for further stations."""
    request = CoverageRequest(
        span.first,
        span.last,
        span.zone,
        max(1.0, parse_number(reach, 500, LARGEST_REACH_M)),
        int(parse_number(further, FURTHER, MAX_FURTHER)),
    )
    zones, language = context.site.zones, context.language
    context.note("viewed", f"blind spots, {request.first} to {request.last}")
    found = blind_spots(context.site.store, context.site.casebook, zones, request)
    watching = [sum(one.by_hour[hour] >= 0.5 for one in found.hours) for hour in range(HOURS)]
    title = language.translate("Stations that watch, by hour of the day")
    names = {zone.id: zone.name_zh if language.code == "zh_CN" else zone.name_en for zone in zones}
    return context.render(
        "coverage.html",
        {
            "asked": request,
            "found": found,
            "title": title,
            "shown": found.hours[:SHOWN_STATIONS],
            "weakest": language.translate(", ").join(
                hour_ranges(hour for hour in range(HOURS) if watching[hour] == min(watching))
            ),
            "fewest": min(watching, default=0),
            "charts": [hours_chart(found.hours[:SHOWN_STATIONS], title, frame) for frame in (WIDE, PHONE)],
            "zone_names": names,
            "max_further": MAX_FURTHER,
        },
    )
