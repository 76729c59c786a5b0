"""Reading of sensor effort from a DuckDB store.

SQL finds where records of one state begin and end; ``EffortMerger`` combines different states.
"""

from collections.abc import Callable
from typing import Any

from ingest.store.duckdb.conditions import all_of, any_of
from ingest.store.effort import MAX_RECORD_US, EffortMerger, EffortQuery, SensorEffort
from ingest.store.microseconds import microseconds

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def effort(read: Read, query: EffortQuery, table: str) -> list[SensorEffort]:
    """Return the effort timelines of sensors from one SQL query of a table of effort; see ``Store.effort``."""
    start_us, end_us = microseconds(query.start), microseconds(query.end)
    conditions = ["start_us < ?", "end_us > ?", "end_us - start_us <= ?"]
    values: list[Any] = [end_us, start_us, MAX_RECORD_US]
    any_of(conditions, values, {"station": query.stations, "sensor": query.sensors})
    # Where as many records of one state begin as end, nothing changes. What is left are few edges, since stations write
    # records that follow each other.
    rows = read(
        "SELECT station, sensor, state, at_us, sum(change)::INTEGER FROM ("
        "SELECT station, sensor, coalesce(gap, 'watching') AS state, unnest([start_us, end_us]) AS at_us, "
        f"unnest([1, -1]) AS change FROM {table} WHERE {all_of(conditions)}) "
        "GROUP BY station, sensor, state, at_us HAVING sum(change) <> 0 ORDER BY station, sensor, state, at_us",
        values,
    )
    merger = EffortMerger(query)
    records = began_us = 0
    for station, sensor, state, at_us, change in rows:
        if not records:
            began_us = at_us
        records += change
        if not records:
            merger.add(station, sensor, began_us, at_us, state)
    return merger.merged()
