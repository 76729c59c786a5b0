"""What a trend is asked for: species, places, days, and how records are counted."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from pipelines.trends.counting import check_days
from pipelines.trends.independence import USUAL_INTERVAL, ComparedTo
from pipelines.trends.periods import Unit

GroupBy = Literal["taxon", "station", "place", "habitat"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
IntervalMethod = Literal["poisson", "negative binomial"]
LONGEST_INTERVAL = timedelta(days=7)


class BadRequest(InvalidInput):
    """A value of a request for a trend is not valid; the message names it."""


@dataclass(frozen=True, slots=True)
class TrendRequest:
    """A request for rates; an empty tuple accepts any value.

    Attributes:
        first: First local day.
        last: Last local day.
        zone: Time zone of the days.
        unit: Length of the periods.
        taxon: Only this taxon, under any of its names; "": all taxa.
        stations: Only these stations.
        sensors: Only sensors of these names, in records and in effort.
        group_by: What the series stand for.
        independence: Independence interval.
        compared_to: The record that a record is compared to.
        method: How intervals of rates are computed.
        confidence: Confidence of the intervals.
        min_confidence: Machine detections below this are left out.

    Raises:
        BadPeriod: the days are not a period that can be counted.
        BadRequest: another value is out of range.
    """

    first: date
    last: date
    zone: ZoneInfo
    unit: Unit = "month"
    taxon: str = ""
    stations: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    group_by: GroupBy = "taxon"
    independence: timedelta = USUAL_INTERVAL
    compared_to: ComparedTo = "last independent record"
    method: IntervalMethod = "poisson"
    confidence: float = 0.95
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        check_days(self.first, self.last)
        if not timedelta(0) <= self.independence <= LONGEST_INTERVAL:
            raise BadRequest(f"independence interval {self.independence}: expected 0 to {LONGEST_INTERVAL.days} days")
        if not 0.5 <= self.confidence <= 0.999:
            raise BadRequest(f"confidence {self.confidence}: expected 0.5 to 0.999")
        if not 0 <= self.min_confidence <= 1:
            raise BadRequest(f"smallest confidence of a detection {self.min_confidence}: expected 0 to 1")
