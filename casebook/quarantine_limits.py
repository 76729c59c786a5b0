"""Bounds of the quarantine: how many records of one station and of all stations are kept."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from casebook.tables import quarantined


def prune_quarantine(connection: Connection, station_limit: int, limit: int) -> dict[str, int]:
    """Delete the oldest quarantine records beyond the limits, and return their number by station.

    Args:
        connection: Connection within a transaction.
        station_limit: Most records of one station.
        limit: Most records in all.
    """
    deleted: dict[str, int] = defaultdict(int)
    counts = select(quarantined.c.station, func.count()).group_by(quarantined.c.station)
    by_station = {station: count for station, count in connection.execute(counts)}  # noqa: C416, not pairs
    for station, count in by_station.items():
        if count > station_limit:
            oldest = select(quarantined.c.id).where(quarantined.c.station == station)
            _delete_oldest(connection, oldest, count - station_limit)
            deleted[station] += count - station_limit
    # The station with most records first: a flood by many stations must not push out the others' records.
    while (excess := sum(by_station.values()) - sum(deleted.values()) - limit) > 0:
        left = {station: count - deleted[station] for station, count in by_station.items()}
        most, second = sorted([0, *left.values()])[-1:-3:-1]
        station = max(left, key=lambda name: left[name])
        count = min(excess, max(1, most - second), most)
        oldest = select(quarantined.c.id).where(quarantined.c.station == station)
        _delete_oldest(connection, oldest, count)
        deleted[station] += count
    return {station: count for station, count in deleted.items() if count}


def _delete_oldest(connection: Connection, ids: Select[Any], count: int) -> None:
    oldest = ids.order_by(quarantined.c.at, quarantined.c.id).limit(count)
    connection.execute(delete(quarantined).where(quarantined.c.id.in_(oldest)))
