"""Counts detections of each taxon by local day and by local hour of the day."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from ingest.store.counts import CountQuery, OffsetPeriod, TaxonCount
from ingest.store.port import Store

LONGEST_DAYS = 3660
# Camera traps are not older, and near the limits of ``datetime``, a local midnight has no representation in UTC.
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 12, 31)


class BadPeriod(InvalidInput):
    """The requested period is empty, too long or outside the supported dates."""


@dataclass(frozen=True, slots=True)
class Trends:
    """Detection counts of each taxon over a period, the most frequent taxon first.

    The days include those without detections.

    Attributes:
        time_zone: Time zone of the days.
        days: The local days.
        taxa: Counts of each taxon.
        effort: (days,) sensor-seconds of watching, summed over stations and sensors; None for a day on which no sensor
            is known to have watched. Empty until ``pipelines.trends.effort.with_effort`` adds it.
    """

    time_zone: str
    days: tuple[date, ...]
    taxa: tuple[TaxonCount, ...]
    effort: tuple[float | None, ...] = ()

    def only(self, taxon: str) -> "Trends":
        """Return the trends of one taxon only."""
        return replace(self, taxa=tuple(one for one in self.taxa if one.taxon == taxon))

    def plain(self) -> dict[str, Any]:
        """Return the counts as JSON-compatible types."""
        return {
            "time_zone": self.time_zone,
            "days": [day.isoformat() for day in self.days],
            "effort": list(self.effort),
            "taxa": [
                {
                    "taxon": one.taxon,
                    "observation_type": one.observation_type,
                    "detections": one.detections,
                    "events": one.events,
                    "by_day": list(one.by_day),
                    "by_hour": list(one.by_hour),
                    "hour_unknown": one.hour_unknown,
                }
                for one in self.taxa
            ],
        }


def first_of(last: date, days: int) -> date:
    """Return the first day of a period of ``days`` days that ends on ``last``.

    Raises:
        BadPeriod: ``days`` is out of range, or ``last`` is not from EARLIEST to LATEST.
    """
    if not 0 < days <= LONGEST_DAYS:
        raise BadPeriod(f"{days} days: expected 1 to {LONGEST_DAYS}")
    if not EARLIEST <= last <= LATEST:
        raise BadPeriod(f"last day {last}: expected one from {EARLIEST} to {LATEST}")
    return last - timedelta(days=days - 1)


def check_days(first: date, last: date) -> None:
    """Check that days are a period that can be counted.

    Raises:
        BadPeriod: the last day is before the first, there are more than LONGEST_DAYS, or one is not from EARLIEST to
            LATEST.
    """
    if not (first >= EARLIEST and last <= LATEST):
        raise BadPeriod(f"{first} to {last}: expected days from {EARLIEST} to {LATEST}")
    if not 0 <= (last - first).days < LONGEST_DAYS:
        raise BadPeriod(f"{first} to {last}: expected a last day no earlier than the first, within {LONGEST_DAYS} days")


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of a local day in UTC; if a clock change skips midnight, the first moment after it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def stretches(first: date, last: date, zone: ZoneInfo) -> tuple[OffsetPeriod, ...]:
    """Split a period of local days, both ends included, into periods of constant UTC offset.

    No time zone has two clock changes within a day.
    """
    start, end = local_midnight(first, zone), local_midnight(last + timedelta(days=1), zone)
    found: list[OffsetPeriod] = []
    began = looked = start
    while looked < end:
        following = min(looked + timedelta(days=1), end)
        before, after = _offset(looked, zone), _offset(following, zone)
        if before != after:
            change = _change(looked, following, zone)
            found.append(OffsetPeriod(began, change, before))
            began = change
        looked = following
    if began < end or not found:
        found.append(OffsetPeriod(began, end, _offset(began, zone)))
    return tuple(found)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Find the clock change between two moments by bisection, to the second."""
    offset, seconds = _offset(before, zone), int((after - before).total_seconds())
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(before + timedelta(seconds=middle), zone) == offset else (low, middle)
    return before + timedelta(seconds=high)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def count_trends(
    store: Store,
    first: date,
    last: date,
    zone: ZoneInfo,
    stations: tuple[str, ...] = (),
    taxa: tuple[str, ...] = (),
    min_confidence: float = 0.0,
) -> Trends:
    """Count detections from the first to the last local day, both included.

    Raises:
        BadPeriod: see ``check_days``.
    """
    check_days(first, last)
    query = CountQuery(first, last, stretches(first, last, zone), stations, taxa, min_confidence)
    found = sorted(store.count(query), key=lambda one: (-one.detections, one.taxon))
    return Trends(zone.key, tuple(first + timedelta(days=count) for count in range(query.days)), tuple(found))
