"""Conditions in InfluxQL, which has no parameters that all versions take: every word is quoted here."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ingest.store.influxdb.line_protocol import to_tag
from ingest.store.influxdb.points import FIRST_NS, LAST_NS, MILLISECOND_NS, held
from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> list[str]:
    """Limit to captures from start to before end; limits within a millisecond take in all of it."""
    first, before = bounds(start, end)
    return [f"time >= {first}", f"time < {before}"]


def bounds(start: datetime | None, end: datetime | None) -> tuple[int, int]:
    """Say from which nanosecond to before which captures from start to before end can stand."""
    first = FIRST_NS if start is None else held(microseconds(start))
    before = LAST_NS + MILLISECOND_NS if end is None else held(microseconds(end) + 999)
    return first, before


def any_of(tag: str, values: Sequence[str]) -> list[str]:
    """Limit a tag to some values; none given: any."""
    if not values:
        return []
    return ["(" + " OR ".join(f'"{tag}" = {quoted(to_tag(value))}' for value in values) + ")"]


def all_of(conditions: Iterable[str]) -> str:
    """Join conditions."""
    return " AND ".join(conditions)


def quoted(text: str) -> str:
    """Write a text as InfluxQL does."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def integer(value: float | str) -> int:
    """Read a count, which some versions answer as a float."""
    return int(value)
