"""Conversion of times to integer microseconds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC; integers compare equally in every database."""
    return (moment - EPOCH) // MICROSECOND
