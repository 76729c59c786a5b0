"""Reads what pages and programs ask about seasons."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query

from pipelines.trends.request import TrendRequest
from review.page import ContextDependency
from review.problems import InvalidRequest
from review.trend_parameters import (
    Days,
    FromDay,
    Minutes,
    Sensors,
    Stations,
    Taxon,
    ToDay,
    Zone,
    parse_number,
    requested_span,
)

DAYS = 730  # two years, if no first day is named
BeginsIn = Annotated[str, Query(description="Month in which a season begins, 1 to 12; default 1")]


@dataclass(frozen=True, slots=True)
class SeasonRequest:
    """A request for seasons; its taxon may be "".

    Attributes:
        trend: Days, stations, sensors, taxon and independence.
        begins_in: Month in which a season begins.
    """

    trend: TrendRequest
    begins_in: int


def requested_seasons(
    context: ContextDependency,
    first: FromDay = "",
    last: ToDay = "",
    days: Days = "",
    station: Stations = [],  # noqa: B006, FastAPI copies it
    sensor: Sensors = [],  # noqa: B006
    taxon: Taxon = "",
    zone: Zone = "",
    minutes: Minutes = "",
    begins_in: BeginsIn = "",
) -> SeasonRequest:
    """Parse a request for seasons; the default period is two years up to the newest capture."""
    span = requested_span(context, first, last, days or str(DAYS), station, sensor, taxon, zone)
    trend = TrendRequest(
        span.first,
        span.last,
        span.zone,
        taxon=span.taxon,
        stations=span.stations,
        sensors=span.sensors,
        independence=timedelta(minutes=parse_number(minutes, 30, 10_080)),
    )
    month = parse_number(begins_in, 1, 12)
    if month < 1 or month != int(month):
        raise InvalidRequest("number")
    return SeasonRequest(trend, int(month))


SeasonDependency = Annotated[SeasonRequest, Depends(requested_seasons)]
