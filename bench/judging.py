"""Tells what a store holds, past the code that wrote it, and what of what a station kept is lost or doubled there."""

from collections.abc import Iterable
from pathlib import Path

from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions


def of_duckdb(path: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """List the events and the detections that a DuckDB store holds."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as store:
        events = [str(row[0]) for row in store.execute("SELECT event_id FROM event").fetchall()]
        found = store.execute("SELECT event_id, ordinal FROM detection").fetchall()
    return events, [(str(event), int(ordinal)) for event, ordinal in found]


def of_influx(url: str, database: str) -> tuple[list[str], list[tuple[str, int]]]:
    """List the events and the detections that an InfluxDB holds, past the store."""
    link = InfluxConnection(InfluxOptions(url=url, database=database, timeout_s=300), "")
    try:
        events = [row["event_id"] for row in link.rows("SELECT event_id FROM event")]
        found = [(row["event_id"], int(row["ordinal"])) for row in link.rows("SELECT event_id, ordinal FROM detection")]
    finally:
        link.close()
    return events, found


def judged(events: list[str], detections: Iterable[tuple[str, int]], ids: set[str], count: int) -> dict[str, int]:
    """Compare what is stored with what the station kept.

    Args:
        events: Ids of the stored events, as often as they are stored.
        detections: Event and ordinal of the stored detections, as often as they are stored.
        ids: Ids that the station made: ``count`` of them it kept, the others went with a process that was killed.
        count: How many captures the station kept, of two detections each.
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
