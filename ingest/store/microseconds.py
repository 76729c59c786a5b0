"""Conversion of datetimes to integer microseconds since 1970, and the check of a period."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


def microseconds(moment: datetime) -> int:
    """Return a datetime as integer microseconds since 1970 in UTC."""
    return (moment - EPOCH) // MICROSECOND


def check_period(start: datetime, end: datetime) -> None:
    """Check the period of a query.

    Raises:
        ValueError: a time has no time zone, or the end is before the start.
    """
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise ValueError(f"{name} {moment}: expected a time with its time zone")
    if end < start:
        raise ValueError(f"end {end}: expected a time no earlier than the start, {start}")
