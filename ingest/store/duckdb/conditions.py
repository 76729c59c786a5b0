"""SQL conditions with their parameters, for queries of the DuckDB store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> tuple[list[str], list[Any]]:
    """Return SQL conditions, and their parameters, that limit the time under which events are listed to a range.

    ``start`` is included in the range, and ``end`` is not.
    """
    conditions: list[str] = []
    values: list[Any] = []
    for limit, sign in ((start, ">="), (end, "<")):
        if limit is not None:
            conditions.append(f"listed_us {sign} ?")
            values.append(microseconds(limit))
    return conditions, values


def any_of(conditions: list[str], values: list[Any], wanted: Mapping[str, Sequence[Any]]) -> None:
    """Append an IN condition for each column of ``wanted`` that has values; the other columns are not limited.

    The lists are written out so that DuckDB uses an index.
    """
    for column, names in wanted.items():
        if names:
            conditions.append(f"{column} IN ({', '.join('?' * len(names))})")
            values.extend(names)


def all_of(conditions: Sequence[str]) -> str:
    """Join SQL conditions with AND; without conditions, return "true"."""
    return " AND ".join(conditions) or "true"
