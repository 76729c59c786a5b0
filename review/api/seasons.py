"""Address for programs: seasons of a species and its rates by phase of the moon, as JSON."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from pipelines.activity.season_report import plain_seasons, season_report
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.season_request import SeasonDependency
from review.security.access_rules import ANALYSE, access

router = APIRouter()
_END = {
    "type": ["object", "null"],
    "properties": {
        "day": {"type": "string", "format": "date"},
        "limit": {"type": ["string", "null"], "description": "95 % limit of arrival or departure; null: not known"},
        "unwatched_days": {"type": "integer", "description": "Days without effort right before or after"},
    },
}
_SEASON = {
    "season": {"type": "string"},
    "records": {"type": "integer", "description": "Independent records"},
    "effort_days": {"type": ["number", "null"], "description": "Sensor-days; null: not known"},
    "first": _END,
    "last": _END,
    "peak_week": {"type": ["object", "null"], "description": "Week with the highest rate, and its interval"},
    "records_by_day": {"type": "array", "items": {"type": "integer"}},
    "effort_days_by_day": {"type": "array", "items": {"type": ["number", "null"]}},
}
SEASONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "seasons": {"type": "array", "items": {"type": "object", "properties": _SEASON}},
        "moon_phases": {"type": "array", "items": {"type": "object"}, "description": "Rates of eight phases from new"},
        "untrusted_times": {"type": "integer", "description": "Captures left out because their time is not trusted"},
    },
}


@router.get("/api/seasons", responses={200: {"content": {"application/json": {"schema": SEASONS_SCHEMA}}}})
@access(ANALYSE)
def seasons_json(context: ContextDependency, asked: SeasonDependency) -> Response:
    """Return first and last record with limits, peak week and daily records of each season, and rates by moon phase.

    Captures whose time is not trusted are left out and counted. A taxon must be named.
    """
    if not asked.trend.taxon:
        raise InvalidRequest("name")
    return JSONResponse(plain_seasons(season_report(context.site.store, asked.trend, asked.begins_in)))
