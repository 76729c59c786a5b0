"""SQL conditions with their parameters, for queries of the DuckDB store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> tuple[list[str], list[Any]]:
    """Return the condition on the capture time: from start (included) to end (not included)."""
    conditions: list[str] = []
    values: list[Any] = []
    for limit, sign in ((start, ">="), (end, "<")):
        if limit is not None:
            conditions.append(f"captured_us {sign} ?")
            values.append(microseconds(limit))
    return conditions, values


def any_of(conditions: list[str], values: list[Any], wanted: Mapping[str, Sequence[Any]]) -> None:
    """Append conditions that limit columns to values; none given: any. Written-out IN lists let DuckDB use an index."""
    for column, names in wanted.items():
        if names:
            conditions.append(f"{column} IN ({', '.join('?' * len(names))})")
            values.extend(names)


def all_of(conditions: Sequence[str]) -> str:
    """Join conditions with AND."""
    return " AND ".join(conditions) or "true"
