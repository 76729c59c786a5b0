"""Lost and duplicated records: reads a store without the code that wrote it and compares with the station."""

from collections.abc import Iterable
from pathlib import Path

from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions


def of_duckdb(path: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the event ids, and the event id and ordinal of each detection, in a DuckDB store."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as store:
        events = [str(row[0]) for row in store.execute("SELECT event_id FROM event").fetchall()]
        found = store.execute("SELECT event_id, ordinal FROM detection").fetchall()
    return events, [(str(event), int(ordinal)) for event, ordinal in found]


def of_influx(url: str, database: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the event ids, and the event id and ordinal of each detection, in an InfluxDB database."""
    link = InfluxConnection(InfluxOptions(url=url, database=database, timeout_s=300), "")
    try:
        events = [row["event_id"] for row in link.rows("SELECT event_id FROM event")]
        found = [(row["event_id"], int(row["ordinal"])) for row in link.rows("SELECT event_id, ordinal FROM detection")]
    finally:
        link.close()
    return events, found


def count_losses(events: list[str], detections: Iterable[tuple[str, int]], ids: set[str], count: int) -> dict[str, int]:
    """Count the lost and the duplicated records of a store.

    Args:
        events: Ids of the stored events, with duplicates.
        detections: Event id and ordinal of the stored detections, with duplicates.
        ids: Ids that the station made; it committed ``count`` of them, and the others were lost with a killed process.
        count: Number of captures that the station committed, with two detections each.
    """
    found = list(detections)
    once = set(events)
    return {
        "lost": count - len(once & ids),
        "doubled": len(events) - len(once),
        "foreign": len(once - ids),
        "detections_lost": 2 * count - len({one for one in found if one[0] in ids}),
        "detections_doubled": len(found) - len(set(found)),
    }
