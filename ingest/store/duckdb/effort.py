"""Reading of sensor effort from a DuckDB store.

SQL joins records of one state; ``EffortMerger`` combines different states.
"""

from collections.abc import Callable
from typing import Any

from ingest.store.duckdb.conditions import all_of, any_of
from ingest.store.effort import MAX_RECORD_US, EffortMerger, EffortQuery, SensorEffort
from ingest.store.microseconds import microseconds

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def effort(read: Read, query: EffortQuery) -> list[SensorEffort]:
    """Return the effort timelines of sensors from one SQL query, which ``read`` runs; see ``Store.effort``."""
    start_us, end_us = microseconds(query.start), microseconds(query.end)
    conditions = ["start_us < ?", "end_us > ?", "end_us - start_us <= ?"]
    values: list[Any] = [end_us, start_us, MAX_RECORD_US]
    any_of(conditions, values, {"station": query.stations, "sensor": query.sensors})
    # A record begins an island where it does not touch any earlier one of the same sensor and state. An island ends
    # where the records before the next one reached, and the last one where all of them did.
    sensor_state = "PARTITION BY station, sensor, state"
    rows = read(
        "WITH record AS (SELECT station, sensor, coalesce(payload->>'$.gap', 'watching') AS state, start_us, end_us "
        f"FROM effort WHERE {all_of(conditions)}), "
        f"reached AS (SELECT station, sensor, state, start_us, max(end_us) OVER ({sensor_state} ORDER BY start_us "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_us, "
        f"max(end_us) OVER ({sensor_state}) AS last_us FROM record), "
        "island AS (SELECT * FROM reached WHERE reached_us IS NULL OR reached_us < start_us) "
        "SELECT station, sensor, state, start_us, "
        f"coalesce(lead(reached_us) OVER ({sensor_state} ORDER BY start_us), last_us) FROM island",
        values,
    )
    merger = EffortMerger(query)
    for station, sensor, state, began_us, ended_us in rows:
        merger.add(station, sensor, began_us, ended_us, state)
    return merger.merged()
