"""Writing of records about stations to DuckDB, and reading of the latest ones."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from contract import Deployment, Effort, Event, Health, Status
from contract.validation import decode_stored
from ingest.store.conflict import conflict_with_payload
from ingest.store.duckdb.columns import INTEGER, TEXT, as_table, to_columns
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.order import supersedes
from ingest.store.port import Conflict, Received

_EFFORT = {"effort_id": TEXT, "station": TEXT, "sensor": TEXT, "start_us": INTEGER, "end_us": INTEGER}
_EFFORT |= {"payload": TEXT, "gap": TEXT}
Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def write_new_effort(
    connection: duckdb.DuckDBPyConnection, items: Sequence[Received]
) -> tuple[int, Sequence[Received]]:
    """Insert the effort records of a batch that the table does not have, in one statement.

    Returns:
        Number of new records, and the other items of the batch but events, for ``write_report``.
    """
    first: dict[str, Received] = {}
    others: list[Received] = []
    for item in items:
        record = item.record
        if isinstance(record, Effort) and first.setdefault(record.effort_id, item) is item:
            continue
        if not isinstance(record, Event):
            others.append(item)
    if not first:
        return 0, others
    with as_table(connection, "arrived_effort", to_columns([_effort_row(one) for one in first.values()], _EFFORT)):
        rows = connection.execute(
            "INSERT INTO effort SELECT * FROM arrived_effort ON CONFLICT DO NOTHING RETURNING effort_id"
        ).fetchall()
    new = {row[0] for row in rows}
    return len(new), [*others, *(item for effort_id, item in first.items() if effort_id not in new)]


def _effort_row(item: Received) -> tuple[str | int | None, ...]:
    record = item.record
    assert isinstance(record, Effort)  # noqa: S101, the caller has chosen it
    return (
        *(record.effort_id, record.station, record.sensor, microseconds(record.start), microseconds(record.end)),
        item.payload.decode(errors="replace"),
        record.gap,
    )


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
    values: list[str | int | None]
    if isinstance(record, Effort):
        table, key = "effort", {"effort_id": record.effort_id}
        values = list(_effort_row(item))
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
