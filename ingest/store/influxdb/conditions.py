"""InfluxQL conditions; values are quoted here, since not all versions support query parameters."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ingest.store.influxdb.line_protocol import to_tag
from ingest.store.influxdb.points import FIRST_NS, LAST_NS, MILLISECOND_NS, clamp_ns
from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> list[str]:
    """Return conditions on the capture time: start (included) to end (not included), widened to full milliseconds."""
    first, before = bounds(start, end)
    return [f"time >= {first}", f"time < {before}"]


def bounds(start: datetime | None, end: datetime | None) -> tuple[int, int]:
    """Return the timestamp range of captures from start to end: first nanosecond, and the one after the last."""
    first = FIRST_NS if start is None else clamp_ns(microseconds(start))
    before = LAST_NS + MILLISECOND_NS if end is None else clamp_ns(microseconds(end) + 999)
    return first, before


def any_of(tag: str, values: Sequence[str]) -> list[str]:
    """Return a condition that limits a tag to values; none given: any."""
    if not values:
        return []
    return ["(" + " OR ".join(f'"{tag}" = {quoted(to_tag(value))}' for value in values) + ")"]


def all_of(conditions: Iterable[str]) -> str:
    """Join conditions with AND."""
    return " AND ".join(conditions)


def quoted(text: str) -> str:
    """Return a text as an InfluxQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def integer(value: float | str) -> int:
    """Convert a count to int; some versions return it as a float."""
    return int(value)
