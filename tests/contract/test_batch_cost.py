"""A batch takes as many statements for many stations as for one."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import msgspec

from casebook.clock_shifts import ClockShift
from casebook.verdicts import Verdict
from contract import encode, new_event_id
from contract.examples import EVENT
from ingest.store.duckdb.clock_shifts import set_clock_shifts
from ingest.store.duckdb.connection import connect
from ingest.store.duckdb.counting import write_verdicts
from ingest.store.duckdb.events import write_events
from ingest.store.duckdb.reports import write_new_effort
from ingest.store.duckdb.tables import SCHEMA
from ingest.store.port import Received
from tests.effort_messages import effort_of

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


def effort_statements(path: Path, count: int) -> int:
    with closing(connect(path)) as connection:
        connection.execute(SCHEMA)
        counted = Counted(connection)
        efforts = [effort_of(NOW + n * DAY, NOW + (n + 1) * DAY) for n in range(count)]
        items = [Received(one, encode(one), NOW) for one in efforts]
        again = msgspec.structs.replace(items[0])
        new, others = write_new_effort(cast(duckdb.DuckDBPyConnection, counted), [*items, again])
        assert (new, list(others)) == (count, [again])  # the repeated one is left for the comparison
    return counted.statements


def test_many_effort_records_take_as_many_statements_as_one(tmp_path: Path) -> None:
    assert effort_statements(tmp_path / "one.duckdb", 1) == effort_statements(tmp_path / "many.duckdb", STATIONS)


def verdict_statements(path: Path, count: int) -> int:
    with closing(connect(path)) as connection:
        connection.execute(SCHEMA)
        counted = Counted(connection)
        verdicts = [Verdict(new_event_id(), 0, "confirmed", "animal", "boar", None, "Li", NOW) for _ in range(count)]
        later = replace(verdicts[0], outcome="dismissed", sequence=verdicts[0].order + 1)
        write_verdicts(cast(duckdb.DuckDBPyConnection, counted), [later, *verdicts])
        outcomes = connection.execute("SELECT outcome, count(*) FROM verdict GROUP BY outcome").fetchall()
        assert dict(outcomes) == {"dismissed": 1} | ({"confirmed": count - 1} if count > 1 else {})
    return counted.statements


def test_many_verdicts_take_as_many_statements_as_one(tmp_path: Path) -> None:
    assert verdict_statements(tmp_path / "one.duckdb", 1) == verdict_statements(tmp_path / "many.duckdb", STATIONS)
