"""What InfluxDB acknowledged after a start from a torn log is there after the next kill, if its log was made whole."""

import subprocess
from collections.abc import Callable

import pytest

from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions
from tests.influx_server import Influx

# Type, length in 4 bytes, and less than that: how an entry is torn by a kill in the middle of its writing.
TORN = bytes([1]) + (5000).to_bytes(4, "big") + b"torn" * 75


def test_what_was_acknowledged_behind_a_torn_entry_outlives_the_next_kill(
    own_influx: Callable[[bool], Influx],
) -> None:
    server = own_influx(False)
    database = server.new_database()
    server.ask(f'CREATE DATABASE "{database}"')
    link = InfluxConnection(InfluxOptions(url=server.direct_url, write_path="v1", database=database), "")
    link.write([b"event a=1 %d" % time for time in range(100)])
    server.kill()
    (log,) = (server.folder / "wal" / database).rglob("*.wal")
    with log.open("ab") as file:
        file.write(TORN)
    server.start()
    link.write([b"event a=1 %d" % time for time in range(100, 200)])
    server.kill()
    server.start()
    assert link.rows('SELECT COUNT("a") AS "count" FROM "event"')[0]["count"] == 200
    link.close()


def test_a_database_that_does_not_start_is_told(own_influx: Callable[[bool], Influx]) -> None:
    server = own_influx(False)
    server.kill()
    (server.folder / "influxd.conf").write_text("no settings")
    with pytest.raises(subprocess.CalledProcessError, match="influxdb-whole-log"):
        server.start()
