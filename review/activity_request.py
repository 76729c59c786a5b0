"""Reads what pages and programs ask about activity, and computes it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query

from ingest.store.port import Store
from ingest.store.taxon_key import taxon_key
from pipelines.activity.daily_activity import (
    TIME_SCALES,
    DailyActivity,
    Overlap,
    TimeScale,
    daily_activity,
    overlap_of,
)
from pipelines.trends.counted_records import CountedRecords, count_records, of_taxon
from pipelines.trends.independence import ComparedTo
from pipelines.trends.request import TrendRequest
from review.trend_parameters import (
    Compared,
    Minutes,
    OtherSideDependency,
    SpanDependency,
    parse_choice,
    parse_number,
)


@dataclass(frozen=True, slots=True)
class ActivityRequest:
    """A request for activity: one side, and another one if something of it differs.

    Attributes:
        first: The first side; its taxon may be "".
        second: The second side; None: no comparison.
        scale: "clock" or "sun".
    """

    first: TrendRequest
    second: TrendRequest | None
    scale: TimeScale


def requested_activity(
    span: SpanDependency,
    other: OtherSideDependency,
    minutes: Minutes = "",
    compared_to: Compared = "",
    scale: Annotated[
        str, Query(description="Time of day by clock, or by sun", json_schema_extra={"enum": ["", *TIME_SCALES]})
    ] = "",
    other_taxon: Annotated[str, Query(max_length=200, description="A second taxon to compare with")] = "",
) -> ActivityRequest:
    """Parse a request for activity."""
    first = TrendRequest(
        span.first,
        span.last,
        span.zone,
        taxon=span.taxon,
        stations=span.stations,
        sensors=span.sensors,
        independence=timedelta(minutes=parse_number(minutes, 30, 10_080)),
        compared_to=parse_choice(compared_to, ComparedTo, "last independent record"),
    )
    second = None
    if other.days or other.stations or other_taxon.strip():
        since, until = other.days or (first.first, first.last)
        second = replace(
            first,
            first=since,
            last=until,
            stations=other.stations or first.stations,
            taxon=taxon_key(other_taxon, None) if other_taxon.strip() else first.taxon,
        )
    return ActivityRequest(first, second, parse_choice(scale, TimeScale, "clock"))


ActivityDependency = Annotated[ActivityRequest, Depends(requested_activity)]


@dataclass(frozen=True, slots=True)
class ActivityAnswer:
    """Activity of one or two sides, and their overlap.

    Attributes:
        sides: One or two activities.
        overlap: None without a second side or with too few records.
        counted: Records of the first side.
    """

    sides: tuple[DailyActivity, ...]
    overlap: Overlap | None
    counted: CountedRecords


def answer_activity(store: Store, asked: ActivityRequest) -> ActivityAnswer:
    """Compute what was asked for; the taxon of the first side must be named."""
    counted = count_records(store, asked.first, (asked.first.taxon,))
    first = daily_activity(store, asked.first, asked.scale, counted)
    if asked.second is None:
        return ActivityAnswer((first,), None, counted)
    second = daily_activity(store, asked.second, asked.scale)
    return ActivityAnswer((first, second), overlap_of(first, second), counted)


def most_recorded(counted: CountedRecords) -> str:
    """Return the animal with the most independent records; "" if there is none."""
    records = counted.records
    numbers = {
        name: int(counted.independent[of_taxon(records, name)].sum()) for name, kind in records.taxa if kind == "animal"
    }
    return max(numbers, key=lambda name: (numbers[name], name), default="")
