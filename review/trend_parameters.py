"""Parameters of the pages and addresses for trends and activity, described for OpenAPI."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import Depends, Query

from ingest.store.port import EventQuery
from ingest.store.taxon_key import taxon_key
from pipelines.trends.counting import LONGEST_DAYS, first_of
from pipelines.trends.independence import ComparedTo
from pipelines.trends.periods import UNITS, Unit
from pipelines.trends.request import GROUPS, GroupBy, IntervalMethod, TrendRequest
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest

DAYS = 30
MAX_NAMES = 50  # stations or sensors of one request
COMPARED_TO: tuple[ComparedTo, ...] = get_args(ComparedTo)
METHODS: tuple[IntervalMethod, ...] = get_args(IntervalMethod)


def _one_of(alias: str, description: str, choices: Sequence[str]) -> Any:
    return Query(alias=alias, description=description, json_schema_extra={"enum": ["", *choices]})


FromDay = Annotated[str, Query(alias="from", description="First local day, such as 2026-05-31")]
ToDay = Annotated[str, Query(alias="to", description="Last local day; the default is the day of the newest capture")]
Days = Annotated[str, Query(description=f"Number of days up to the last one, if `from` is missing; default {DAYS}")]
Stations = Annotated[list[str], Query(description="Only these stations; may be repeated")]
Sensors = Annotated[list[str], Query(description="Only sensors of these names, such as camera; may be repeated")]
Taxon = Annotated[str, Query(max_length=200, description="Only this taxon: Chinese, English or scientific name")]
Zone = Annotated[str, Query(description="Time zone of the days; the default is that of the pages")]
By = Annotated[str, _one_of("by", "Length of the periods; default month", UNITS)]
Group = Annotated[str, _one_of("group_by", "What series stand for; default taxon", GROUPS)]
Minutes = Annotated[str, Query(description="Independence interval in minutes, 0 to 10,080; default 30")]
Compared = Annotated[
    str, _one_of("compared_to", "The record that a record is compared to; default last independent record", COMPARED_TO)
]
Method = Annotated[str, _one_of("interval", "How intervals of rates are computed; default poisson", METHODS)]
Least = Annotated[str, Query(description="Machine detections below this confidence are left out; default 0")]
OtherFrom = Annotated[str, Query(description="First day of a second period, to compare with")]
OtherTo = Annotated[str, Query(description="Last day of the second period")]
OtherStations = Annotated[list[str], Query(description="Stations of the second side; may be repeated")]


@dataclass(frozen=True, slots=True)
class Span:
    """Days, stations, sensors and taxon of a request, and the time zone of its days.

    An empty tuple or text selects all. The taxon is an accepted name.
    """

    first: date
    last: date
    stations: tuple[str, ...]
    sensors: tuple[str, ...]
    taxon: str
    zone: ZoneInfo


def requested_span(
    context: ContextDependency,
    first: FromDay = "",
    last: ToDay = "",
    days: Days = "",
    station: Stations = [],  # noqa: B006, FastAPI copies it
    sensor: Sensors = [],  # noqa: B006
    taxon: Taxon = "",
    zone: Zone = "",
) -> Span:
    """Parse days, stations, sensors and taxon; the default period is 30 days up to the newest capture."""
    until = parse_day(last) or newest_day(context)
    length = int(days) if days.isascii() and days.isdigit() and len(days) <= 5 else DAYS
    return Span(
        parse_day(first) or first_of(until, length if 0 < length <= LONGEST_DAYS else DAYS),
        until,
        parse_names(station),
        parse_names(sensor),
        taxon_key(taxon, None) if taxon.strip() else "",
        _parse_zone(zone) or context.site.zone,
    )


SpanDependency = Annotated[Span, Depends(requested_span)]


def requested_trend(
    span: SpanDependency,
    by: By = "",
    group_by: Group = "",
    minutes: Minutes = "",
    compared_to: Compared = "",
    interval: Method = "",
    min_confidence: Least = "",
) -> TrendRequest:
    """Parse a request for rates."""
    return TrendRequest(
        span.first,
        span.last,
        span.zone,
        unit=parse_choice(by, Unit, "month"),
        taxon=span.taxon,
        stations=span.stations,
        sensors=span.sensors,
        group_by=parse_choice(group_by, GroupBy, "taxon"),
        independence=timedelta(minutes=parse_number(minutes, 30, 10_080)),
        compared_to=parse_choice(compared_to, ComparedTo, "last independent record"),
        method=parse_choice(interval, IntervalMethod, "poisson"),
        min_confidence=parse_number(min_confidence, 0, 1),
    )


TrendDependency = Annotated[TrendRequest, Depends(requested_trend)]


@dataclass(frozen=True, slots=True)
class OtherSide:
    """Days and stations to compare with; None and empty: those of the request itself."""

    days: tuple[date, date] | None
    stations: tuple[str, ...]


def requested_other_side(
    compare_from: OtherFrom = "",
    compare_to: OtherTo = "",
    compare_station: OtherStations = [],  # noqa: B006, FastAPI copies it
) -> OtherSide:
    """Parse the second side of a comparison."""
    return OtherSide(parse_days(compare_from, compare_to), parse_names(compare_station))


OtherSideDependency = Annotated[OtherSide, Depends(requested_other_side)]


def parse_choice(text: str, choices: Any, default: Any) -> Any:
    """Return a text that is one of the choices of a ``Literal``; the default for an empty text.

    Raises:
        InvalidRequest: it is another text.
    """
    try:
        return msgspec.convert(text.replace("-", " "), choices) if text else default
    except msgspec.ValidationError as error:
        raise InvalidRequest("choice") from error


def parse_number(text: str, default: float, largest: float) -> float:
    """Return a number from 0 to ``largest``; the default for an empty text.

    Raises:
        InvalidRequest: the text is no such number.
    """
    try:
        number = float(text) if text else default
    except ValueError as error:
        raise InvalidRequest("number") from error
    if not 0 <= number <= largest:
        raise InvalidRequest("number")
    return number


def parse_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return names of stations or sensors without empty ones and duplicates.

    Raises:
        InvalidRequest: there are more than ``MAX_NAMES``.
    """
    names = tuple(dict.fromkeys(text for text in texts if text))
    if len(names) > MAX_NAMES:
        raise InvalidRequest("names")
    return names


def parse_day(text: str) -> date | None:
    """Return a day given as 2026-05-31; None for an empty text.

    Raises:
        InvalidRequest: the text is no day.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest("day") from error


def parse_days(first: str, last: str) -> tuple[date, date] | None:
    """Return the first and the last day of a period; None if both are empty.

    Raises:
        InvalidRequest: one of them is missing, or is no day.
    """
    days = parse_day(first), parse_day(last)
    if days[0] is not None and days[1] is not None:
        return days[0], days[1]
    if days != (None, None):
        raise InvalidRequest("day")
    return None


def _parse_zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Asia" is a folder
        raise InvalidRequest("zone") from error


def newest_day(context: PageContext) -> date:
    """Return the local day of the newest capture, or today if it is listed in the future.

    For captures from old memory cards, a period that ends today would be empty.
    """
    now = datetime.now(context.site.zone)
    newest = [one.listed_at for one in context.site.store.listing(EventQuery(limit=1))]
    return min(max(newest, default=now), now).astimezone(context.site.zone).date()
