"""Conversion of datetimes to integer microseconds since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return a datetime as integer microseconds since 1970 in UTC."""
    return (moment - EPOCH) // MICROSECOND
