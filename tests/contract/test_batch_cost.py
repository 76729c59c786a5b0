"""A batch takes as many statements for many stations as for one."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import msgspec

from casebook.clock_shifts import ClockShift
from contract import encode, new_event_id
from contract.examples import EVENT
from ingest.store.duckdb.clock_shifts import set_clock_shifts
from ingest.store.duckdb.connection import connect
from ingest.store.duckdb.events import write_events
from ingest.store.duckdb.tables import SCHEMA
from ingest.store.port import Received

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STATIONS = 40


class Counted:
    """A connection to DuckDB that counts its statements."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.statements = 0

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self.statements += 1
        return self.connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def captures(stations: Sequence[str]) -> list[Received]:
    events = [
        msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=NOW)
        for station in stations
    ]
    return [Received(event, encode(event), NOW + DAY) for event in events]


def statements(path: Path, stations: Sequence[str]) -> int:
    with closing(connect(path)) as connection:
        connection.execute(SCHEMA)
        shifts = [
            ClockShift(name, name, EVENT.sensor, NOW - DAY, NOW + DAY, timedelta(hours=1), "summer time", "Li", NOW)
            for name in sorted(set(stations))
        ]
        set_clock_shifts(connection, shifts)
        counted = Counted(connection)
        new, _, _, corrected = write_events(cast(duckdb.DuckDBPyConnection, counted), captures(stations), newest_us=0)
        assert new == len(corrected) == len(stations)
        (found,) = connection.execute("SELECT count(*) FROM shifted_event").fetchall()
        assert found == (len(stations),)
        (models,) = connection.execute("SELECT count(*) FROM model_use").fetchall()
        assert models == (len(set(stations)) * len(EVENT.models),)
    return counted.statements


def test_events_of_many_stations_with_corrected_clocks_take_as_many_statements_as_one(tmp_path: Path) -> None:
    one = statements(tmp_path / "one.duckdb", ["ridge-07"])
    many = statements(tmp_path / "many.duckdb", [f"ridge-{number}" for number in range(STATIONS)])
    assert many == one
