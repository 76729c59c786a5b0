"""Times as whole microseconds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Count from 1970, UTC: whole numbers compare the same everywhere."""
    return (moment - EPOCH) // MICROSECOND
