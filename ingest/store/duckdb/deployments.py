"""Writing and reading of deployment records in DuckDB.

All records are kept, and the latest record of a deployment is valid.
"""

from collections.abc import Callable
from typing import Any

import duckdb

from contract import Deployment
from contract.validation import decode_stored
from ingest.store.microseconds import microseconds

TABLE = """
CREATE TABLE deployment (
    station VARCHAR, deployment VARCHAR, at_us BIGINT, payload VARCHAR, PRIMARY KEY (station, deployment, at_us));
"""


def write_deployment(connection: duckdb.DuckDBPyConnection, deployment: Deployment, payload: str) -> int:
    """Insert a deployment record and return 1; return 0 if the table already contains the record."""
    values = [deployment.station, deployment.deployment, microseconds(deployment.at), payload]
    sql = "INSERT INTO deployment VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
    return len(connection.execute(sql, values).fetchall())


def read_deployments(read: Callable[[str, list[Any]], list[tuple[Any, ...]]]) -> list[Deployment]:
    """Read the latest record of each deployment from DuckDB, sorted by station and deployment."""
    rows = read(
        "SELECT arg_max(payload, at_us) FROM deployment GROUP BY station, deployment ORDER BY station, deployment", []
    )
    return [decode_stored(payload, Deployment) for (payload,) in rows]
