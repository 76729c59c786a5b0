"""InfluxQL conditions with quoted values, since not all InfluxDB versions support query parameters."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ingest.store.influxdb.line_protocol import to_tag
from ingest.store.influxdb.points import FIRST_NS, LAST_NS, MILLISECOND_NS, clamp_ns
from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> list[str]:
    """Return InfluxQL conditions that limit the capture time to a range, widened to full milliseconds.

    ``start`` is included in the range, and ``end`` is not.
    """
    first, before = bounds(start, end)
    return [f"time >= {first}", f"time < {before}"]


def bounds(start: datetime | None, end: datetime | None) -> tuple[int, int]:
    """Convert a capture time range to nanoseconds since 1970, widened to full milliseconds.

    The returned start is included in the range, and the returned end is not.
    """
    first = FIRST_NS if start is None else clamp_ns(microseconds(start))
    before = LAST_NS + MILLISECOND_NS if end is None else clamp_ns(microseconds(end) + 999)
    return first, before


def any_of(tag: str, values: Sequence[str]) -> list[str]:
    """Return a list with the InfluxQL condition that limits a tag to the given values; empty without values."""
    if not values:
        return []
    return ["(" + " OR ".join(f'"{tag}" = {quoted(to_tag(value))}' for value in values) + ")"]


def all_of(conditions: Iterable[str]) -> str:
    """Join InfluxQL conditions with AND."""
    return " AND ".join(conditions)


def quoted(text: str) -> str:
    """Return a text as an InfluxQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def integer(value: float | str) -> int:
    """Convert an integer in an InfluxDB result to ``int``; some versions return floats."""
    return int(value)
