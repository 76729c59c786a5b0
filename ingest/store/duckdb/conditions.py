"""Conditions in SQL with their values, as the questions to a DuckDB store begin."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ingest.store.microseconds import microseconds


def within(start: datetime | None, end: datetime | None) -> tuple[list[str], list[Any]]:
    """Limit to captures from start to before end."""
    conditions: list[str] = []
    values: list[Any] = []
    for limit, sign in ((start, ">="), (end, "<")):
        if limit is not None:
            conditions.append(f"captured_us {sign} ?")
            values.append(microseconds(limit))
    return conditions, values


def any_of(conditions: list[str], values: list[Any], wanted: Mapping[str, Sequence[Any]]) -> None:
    """Limit columns to some values; none given: any. Written out, so that an index is used where there is one."""
    for column, names in wanted.items():
        if names:
            conditions.append(f"{column} IN ({', '.join('?' * len(names))})")
            values.extend(names)


def all_of(conditions: Sequence[str]) -> str:
    """Join conditions."""
    return " AND ".join(conditions) or "true"
