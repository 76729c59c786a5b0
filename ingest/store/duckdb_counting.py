"""Counts what is in a DuckDB store, per local day and hour, in one pass over what counts."""

from collections.abc import Callable
from typing import Any

from ingest.store.duckdb_words import all_of, any_of, within
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.port import Counted, CountQuery
from ingest.store.tally import Tally

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000


def count(read: Read, query: CountQuery, detection: str = "detection") -> list[Counted]:
    """See ``Store.count``; ``read`` runs one question, ``detection`` is the table of them or what stands for it."""
    conditions, values = within(query.start, query.end)
    any_of(conditions, values, {"station": query.stations, "counts_as": query.taxa})
    conditions.append("counts_as IS NOT NULL")
    if query.min_confidence > 0:
        conditions.append("certainty >= ?")
        values.append(query.min_confidence)
    # One statement, so that days and hours are of one moment while others write.
    rows = read(
        f"WITH found AS (SELECT counts_as, counts_as_type, leads, {_since_first_midnight(query)} AS local_us "
        f"FROM {detection} WHERE {all_of(conditions)}) "
        f"SELECT counts_as, counts_as_type, true, (local_us // {DAY_US})::INTEGER AS slot, count(*), "
        "count(*) FILTER (leads) FROM found GROUP BY counts_as, counts_as_type, slot UNION ALL "
        f"SELECT counts_as, counts_as_type, false, (local_us // {HOUR_US} % 24)::INTEGER AS slot, count(*), 0 "
        "FROM found GROUP BY counts_as, counts_as_type, slot",
        values,
    )
    tally = Tally(query.days)
    for taxon, kind, of_day, slot, detections, events in rows:
        if of_day:
            tally.on_day(taxon, kind, slot, detections, events)
        else:
            tally.in_hour(taxon, kind, slot, detections)
    return tally.counted()


def _since_first_midnight(query: CountQuery) -> str:
    """Give local time as microseconds since the first local day began, which are never less than 0."""
    midnight_us = (query.first - EPOCH.date()).days * DAY_US
    shifts = [stretch.offset // MICROSECOND - midnight_us for stretch in query.stretches]
    if len(shifts) == 1:
        return f"captured_us + {shifts[0]}"
    ends = [microseconds(stretch.end) for stretch in query.stretches[:-1]]
    earlier = " ".join(f"WHEN captured_us < {end} THEN {shift}" for end, shift in zip(ends, shifts, strict=False))
    return f"captured_us + CASE {earlier} ELSE {shifts[-1]} END"
