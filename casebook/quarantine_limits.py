"""Bounds of the quarantine: how many records of one station and of all stations are kept."""

from sqlalchemy import Connection, delete, func, select

from casebook.tables import quarantined


def prune_quarantine(connection: Connection, station_limit: int, limit: int) -> dict[str, int]:
    """Delete the oldest quarantine records beyond the limits, and return their number by station.

    Args:
        connection: Connection within a transaction.
        station_limit: Most records of one station.
        limit: Most records in all.
    """
    counts = select(quarantined.c.station, func.count()).group_by(quarantined.c.station)
    before = {station: count for station, count in connection.execute(counts)}  # noqa: C416, not pairs
    kept = {station: min(count, station_limit) for station, count in before.items()}
    # The station with most records first: a flood by many stations must not push out the others' records.
    while (excess := sum(kept.values()) - limit) > 0:
        second, most = sorted([0, *kept.values()])[-2:]
        kept[max(kept, key=lambda station: kept[station])] -= min(excess, max(1, most - second))
    deleted = {station: count - kept[station] for station, count in before.items() if count > kept[station]}
    for station, count in deleted.items():
        _delete_oldest(connection, station, count)
    return deleted


def _delete_oldest(connection: Connection, station: str, count: int) -> None:
    of_station = select(quarantined.c.id).where(quarantined.c.station == station)
    oldest = of_station.order_by(quarantined.c.at, quarantined.c.id).limit(count)
    connection.execute(delete(quarantined).where(quarantined.c.id.in_(oldest)))
