"""Writes and reads deployments in DuckDB: every record that a station sent is kept, the latest one is valid."""

from collections.abc import Callable
from typing import Any

import duckdb
import msgspec

from contract import Deployment
from ingest.store.microseconds import microseconds

TABLE = """
CREATE TABLE deployment (
    station VARCHAR, deployment VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, deployment, at_us));
"""


def write_deployment(connection: duckdb.DuckDBPyConnection, deployment: Deployment, payload: str) -> int:
    """Insert a record; return 1, or 0 where the table has it already."""
    values = [deployment.station, deployment.deployment, microseconds(deployment.at), payload]
    sql = "INSERT INTO deployment VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
    return len(connection.execute(sql, values).fetchall())


def read_deployments(read: Callable[[str, list[Any]], list[tuple[Any, ...]]]) -> list[Deployment]:
    """Read the latest record of each deployment, sorted by station and deployment."""
    rows = read(
        "SELECT arg_max(payload, at_us) FROM deployment GROUP BY station, deployment ORDER BY station, deployment", []
    )
    return [msgspec.json.decode(payload, type=Deployment) for (payload,) in rows]
