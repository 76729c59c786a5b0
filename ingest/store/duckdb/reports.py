"""Writing of records about stations to DuckDB, and reading of the latest ones."""

from collections.abc import Callable
from typing import Any

import duckdb

from contract import Deployment, Effort, Health, Status
from contract.validation import decode_stored
from ingest.store.conflict import conflict_with_payload
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.order import supersedes
from ingest.store.port import Conflict, Received

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def write_report(connection: duckdb.DuckDBPyConnection, item: Received) -> Conflict | bool:
    """Insert a record about a station; return True if it is new, False if the table has it, or else the conflict."""
    record, payload = item.record, item.payload.decode(errors="replace")
    if isinstance(record, Status):
        # A last will contains the time of its registration, and the broker keeps the order: the last to arrive counts.
        # The broker repeats a retained message unchanged, which says nothing new.
        sql = (
            "INSERT INTO status VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at_us = excluded.at_us, "
            "payload = excluded.payload WHERE excluded.payload <> status.payload"
        )
        connection.execute(sql, [record.station, microseconds(item.received_at), payload])
        return True
    key: dict[str, str | int]
    if isinstance(record, Effort):
        table, key = "effort", {"effort_id": record.effort_id}
        values = [
            record.effort_id,
            record.station,
            record.sensor,
            microseconds(record.start),
            microseconds(record.end),
            payload,
            record.gap,
        ]
    elif isinstance(record, Health):
        table, key = "health", {"station": record.station, "at_us": microseconds(record.at)}
        values = [*key.values(), payload]
    elif isinstance(record, Deployment):
        table = "deployment"
        key = {"station": record.station, "deployment": record.deployment, "at_us": microseconds(record.at)}
        values = [*key.values(), payload]
    else:
        raise TypeError(f"{type(record).__name__}: expected a record about a station")
    marks = ", ".join("?" * len(values))
    insertion = f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING 1"
    if not connection.execute(insertion, values).fetchall():
        where = " AND ".join(f"{name} = ?" for name in key)
        rows = connection.execute(f"SELECT payload FROM {table} WHERE {where}", list(key.values())).fetchall()
        return conflict_with_payload(item, rows[0][0].encode()) or False
    if isinstance(record, Health | Deployment):
        _write_latest(connection, item, table, record, payload)
    return True


def _write_latest(
    connection: duckdb.DuckDBPyConnection, item: Received, kind: str, record: Health | Deployment, payload: str
) -> None:
    key = [kind, record.station, record.deployment if isinstance(record, Deployment) else ""]
    where = "kind = ? AND station = ? AND name = ?"
    rows = connection.execute(f"SELECT received_us, payload FROM latest WHERE {where}", key).fetchall()
    if rows:
        ((received_us, current),) = rows
        received_at = None if received_us is None else EPOCH + received_us * MICROSECOND
        if not supersedes(item, decode_stored(current, type(record)), received_at):
            return
    connection.execute(
        "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)", [*key, microseconds(item.received_at), payload]
    )


def read_deployments(read: Read, latest: str) -> list[Deployment]:
    """Read the latest record of each deployment from DuckDB, sorted by station and deployment."""
    rows = read(f"SELECT payload FROM {latest} WHERE kind = 'deployment' ORDER BY station, name", [])
    return [decode_stored(payload, Deployment) for (payload,) in rows]
