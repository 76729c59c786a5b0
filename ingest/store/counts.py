"""Counting of detections: the query and its results."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Self

from contract.messages import ObservationType


@dataclass(frozen=True, slots=True)
class OffsetPeriod:
    """A period during which local time has a constant offset from UTC.

    Attributes:
        start: Start, UTC, included.
        end: End, UTC, not included.
        offset: Local time minus UTC.
    """

    start: datetime
    end: datetime
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class CountQuery:
    """Query for counts of detections by local day and hour: a filter, the days, and the UTC offsets.

    Attributes:
        first: First local day.
        last: Last local day.
        periods: Periods of constant offset from the start of the first day to the end of the last, without gaps.
        stations: Accepted stations; empty: all.
        taxa: Accepted taxa; empty: all.
        min_confidence: Machine detections below this are left out; detections with a verdict always count.
    """

    first: date
    last: date
    periods: tuple[OffsetPeriod, ...]
    stations: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    min_confidence: float = 0.0

    @classmethod
    def in_utc(cls, start: datetime, end: datetime) -> Self:
        """Return a query that counts by day and hour of UTC, from ``start`` (included) to ``end`` (not included)."""
        return cls(start.date(), max(start, end - timedelta(microseconds=1)).date(), (OffsetPeriod(start, end),))

    def __post_init__(self) -> None:
        if not self.periods:
            raise ValueError("periods: expected at least one period")
        for before, after in pairwise(self.periods):
            if before.end != after.start:
                raise ValueError(f"a period starts at {after.start}: expected the end of the one before, {before.end}")

    @property
    def start(self) -> datetime:
        """Start of the period in which detections are counted, included."""
        return self.periods[0].start

    @property
    def end(self) -> datetime:
        """End of the period in which detections are counted, not included."""
        return self.periods[-1].end

    @property
    def days(self) -> int:
        """Number of local days from the first to the last, both included."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class TaxonCount:
    """Counts of the detections of one taxon.

    Attributes:
        taxon: Scientific name if known, else the label.
        observation_type: Observation type.
        by_day: (days,) detections on each local day of the query.
        by_hour: (24,) detections in each local hour of the day, without those whose hour is not known.
        detections: Sum of ``by_day``.
        events: Number of events with at least one of these detections.
    """

    taxon: str
    observation_type: ObservationType
    by_day: tuple[int, ...]
    by_hour: tuple[int, ...]
    detections: int
    events: int

    @property
    def hour_unknown(self) -> int:
        """Number of detections whose hour is not known (see ``Clock.is_known``)."""
        return self.detections - sum(self.by_hour)
