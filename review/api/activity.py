"""Address for programs: daily activity with interval, activity level and overlap, as JSON."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from pipelines.activity.daily_activity import FEWEST, DailyActivity, Overlap
from pipelines.activity.overlap import BootstrapInterval
from review.activity_request import ActivityDependency, answer_activity
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.security.access_rules import ANALYSE, access

router = APIRouter()
_NUMBERS = {"type": "array", "items": {"type": "number"}}
_ESTIMATE = {
    "type": "object",
    "properties": {"value": {"type": "number"}, "interval": _NUMBERS, "repeats": {"type": "integer"}},
}
_SIDE = {
    "taxon": {"type": "string"},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "stations": {"type": "array", "items": {"type": "string"}},
    "records": {"type": "integer", "description": "Independent records whose times are used"},
    "untrusted_times": {"type": "integer", "description": "Records left out because their time is not trusted"},
    "without_position": {"type": "integer", "description": "Left out of sun time: position of the station not known"},
    "hours": _NUMBERS,
    "density": _NUMBERS | {"description": "Density per hour; null for too few records"},
    "low": _NUMBERS,
    "high": _NUMBERS,
    "activity_level": _ESTIMATE,
}
ACTIVITY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "scale": {"type": "string"},
        "fewest_records": {"type": "integer", "description": "Of fewer records no density is computed"},
        "sides": {"type": "array", "items": {"type": "object", "properties": _SIDE}},
        "overlap": {"type": ["object", "null"]},
    },
}


@router.get("/api/activity", responses={200: {"content": {"application/json": {"schema": ACTIVITY_SCHEMA}}}})
@access(ANALYSE)
def activity_json(context: ContextDependency, asked: ActivityDependency) -> Response:
    """Return the density of times of day with a bootstrap interval, the activity level, and the overlap of two.

    Captures whose time is not trusted are left out and counted. A taxon must be named.
    """
    if not asked.first.taxon:
        raise InvalidRequest("name")
    found = answer_activity(context.site.store, asked)
    return JSONResponse(
        {
            "scale": asked.scale,
            "fewest_records": FEWEST,
            "sides": [_plain_side(side) for side in found.sides],
            "overlap": _plain_overlap(found.overlap) if found.overlap else None,
        }
    )


def _plain_side(side: DailyActivity) -> dict[str, Any]:
    curve = side.curve
    return {
        "taxon": side.request.taxon,
        "from": side.request.first.isoformat(),
        "to": side.request.last.isoformat(),
        "stations": list(side.request.stations),
        "records": side.records,
        "untrusted_times": side.untrusted,
        "without_position": side.without_position,
        "hours": curve.hours.tolist() if curve else None,
        "density": curve.density.tolist() if curve else None,
        "low": curve.low.tolist() if curve else None,
        "high": curve.high.tolist() if curve else None,
        "activity_level": _plain_estimate(curve.level) if curve else None,
    }


def _plain_overlap(found: Overlap) -> dict[str, Any]:
    return {**_plain_estimate(found.interval), "estimator": found.estimator, "watson_u2": found.watson_u2}


def _plain_estimate(found: BootstrapInterval) -> dict[str, Any]:
    return {"value": found.value, "interval": [found.low, found.high], "repeats": found.repeats}
