"""Stores filled with the detections of `bench.trends`, which are written directly in each store's layout."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Protocol

import duckdb
import numpy as np

from contract import encode
from contract.examples import EVENT, HEALTH
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.duckdb.tables import verdicts_applied_sql
from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions
from ingest.store.influxdb.points import id_time
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import Store
from tests.influx_server import Influx

STATIONS, TAXA, DAYS = 200, 300, 365
LAST = datetime(2026, 11, 1, tzinfo=UTC)
LAST_US = int(LAST.timestamp()) * 1_000_000
PORTION = 1_000_000
HEALTH_EVERY_H = 4
# A row: number, station, taxon, ordinal, seconds before LAST, confidence. The taxa have unequal frequencies.
Row = tuple[int, int, int, int, int, float]


def payload_parts() -> tuple[str, ...]:
    """Split an example event's JSON at the values that differ by capture: id, station, time and file hash."""
    rest, parts = encode(EVENT).decode(), list[str]()
    for name in ('event_id":"', 'station":"', 'captured_at":"', 'media":[{"sha256":"'):
        before, _, after = rest.partition(name)
        parts.append(before + name)
        rest = after[after.index('"') :]
    return (*parts, rest)


class Filled(Protocol):
    """A store with a fast way to write benchmark rows."""

    store: Store

    def fill(self, rows: list[Row]) -> None:
        """Write rows to the store."""


class FilledDuckDb:
    """A DuckDB store whose tables are filled by SQL."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "detections.duckdb"
        DuckDbStore(self._path).close()
        with duckdb.connect(str(self._path)) as connection:
            connection.execute(
                "INSERT INTO effort SELECT printf('%s-%d', station, n), station, 'camera', start_us, "
                "start_us + 3600000000, '{}', NULL FROM (SELECT printf('station-%03d', s) AS station, n, "
                "? - (n + 1) * 3600000000 AS start_us FROM range(?) a(s), range(?) b(n) WHERE (n // 24 + s) % 60 <> 0) "
                "ON CONFLICT DO NOTHING",
                [LAST_US, STATIONS, DAYS * 24],
            )
        self.store: Store = DuckDbStore(self._path)

    def fill(self, rows: list[Row]) -> None:
        """See ``Filled.fill``."""
        self.store.close()
        number, station, taxon, ordinal, before_s, confidence = (np.array(column) for column in zip(*rows, strict=True))
        with duckdb.connect(str(self._path)) as connection:
            columns = {"n": number, "s": station, "t": taxon, "o": ordinal, "b": before_s, "c": confidence}
            connection.register("rows", columns)
            connection.execute(
                "CREATE TEMP TABLE found AS SELECT "
                "printf('%08x-%04x-7000-8000-%012d', at_us // 65536000, at_us // 1000 % 65536, n - o) AS event_id, "
                "o::INTEGER AS ordinal, printf('station-%03d', s) AS station, at_us AS captured_us, "
                "printf('taxon-%03d', t) AS taxon, 'animal' AS observation_type, c AS confidence, 'bench' AS model "
                "FROM (SELECT *, ?::BIGINT - b * 1000000 AS at_us FROM rows)",
                [LAST_US],
            )
            detections = verdicts_applied_sql("found", "(SELECT * FROM verdict WHERE false)")
            connection.execute(  # no input from outside
                "INSERT INTO detection SELECT *, captured_us, true, false, 'camera', "  # noqa: S608
                "count(*) OVER (PARTITION BY event_id, counts_as, counts_as_type) "
                f"FROM ({detections}) ORDER BY captured_us"
            )
            connection.execute(
                "INSERT INTO event SELECT event_id, station, captured_us, captured_us, ? || event_id || ? || station "
                "|| ? || strftime(make_timestamp(captured_us), '%Y-%m-%dT%H:%M:%SZ') || ? || md5(event_id) || "
                "md5(event_id || '.') || ?, captured_us, false, false FROM found WHERE ordinal = 0",
                list(payload_parts()),
            )
            connection.execute(
                "INSERT INTO health SELECT printf('station-%03d', s), ? - h * 3600000000, ? "
                "FROM range(?) a(s), range(0, ?, ?) b(h) ON CONFLICT DO NOTHING",
                [LAST_US, encode(HEALTH).decode(), STATIONS, DAYS * 24, HEALTH_EVERY_H],
            )
        self.store = DuckDbStore(self._path)


class FilledInflux:
    """An InfluxDB store filled with points in the store's own layout."""

    def __init__(self, server: Influx) -> None:
        options = InfluxOptions(url=server.url, database=server.new_database(), timeout_s=300)
        self.store: Store = InfluxDbStore(options)
        self._link = InfluxConnection(options, "")
        health = encode(HEALTH).replace(b'"', b'\\"')
        for station in range(STATIONS):
            self._link.write(
                [
                    b'health,station=station-%03d payload="%b" %d'
                    % (station, health, (LAST_US - h * 3_600_000_000) * 1000)
                    for h in range(0, DAYS * 24, HEALTH_EVERY_H)
                ]
            )
            self._link.write(_effort_lines(station))

    def fill(self, rows: list[Row]) -> None:
        """See ``Filled.fill``."""
        parts = [part.replace('"', '\\"') for part in payload_parts()]
        for start in range(0, len(rows), 100_000):
            lines: list[str] = []
            for n, s, t, o, b, c in rows[start : start + 100_000]:
                at_ns = (LAST_US - b * 1_000_000) * 1000 + (n - o) % 990_000
                event_id = id_of(n - o, b)
                lines.append(
                    f"detection,model=bench,observationType=animal,ordinal={o},"
                    f'sensor=camera,station=station-{s:03},taxon=taxon-{t:03} event_id="{event_id}",'
                    f"confidence={c},certainty={c},animals=1i,trusted=1i,"
                    f'counts=1i,leads={int(o == 0)}i,review="machine" {at_ns}'
                )
                lines.append(
                    f"detection_by_taxon,observationType=animal,ordinal={o},taxon=taxon-{t:03} certainty={c},counts=1i,"
                    f'event_id="{event_id}",leads={int(o == 0)}i,station="station-{s:03}" {at_ns}'
                )
                if o == 0:
                    at = (LAST - timedelta(seconds=b)).isoformat()
                    values = (event_id, f"station-{s:03}", at, f"{n:064x}", "")
                    payload = "".join(part + value for part, value in zip(parts, values, strict=True))
                    lines.append(
                        f"event,sensor=camera,station=station-{s:03} captured_us={LAST_US - b * 1_000_000}i,"
                        f'event_id="{event_id}",payload="{payload}" {at_ns}'
                    )
                    lines.append(
                        f'event_index at_ns={at_ns}i,event_id="{event_id}",station="station-{s:03}" {id_time(event_id)}'
                    )
            self._link.write(line.encode() for line in lines)


def _effort_lines(station: int) -> Iterator[bytes]:
    """Yield a year of effort of a station, an hour each; every sixtieth day is missing."""
    for n in range(DAYS * 24):
        if (n // 24 + station) % 60:
            start_us = LAST_US - (n + 1) * 3_600_000_000
            yield (
                f'effort,gap=none,sensor=camera,station=station-{station:03} effort_id="{station}-{n}",gap_s=0,'
                f"start_us={start_us}i,end_us={start_us + 3_600_000_000}i,watching_s=3600 {start_us * 1000}"
            ).encode()


def id_of(number: int, before_s: int) -> str:
    """Return the UUIDv7 id of a capture; the id contains the capture's time."""
    milliseconds = LAST_US // 1000 - before_s * 1000
    return f"{milliseconds >> 16:08x}-{milliseconds & 65535:04x}-7000-8000-{number:012}"


def generate(total: int) -> Iterator[list[Row]]:
    """Yield rows of detections, ``PORTION`` at a time; one capture in five has two detections of the same taxon."""
    random = Random(7)
    station = taxon = before_s = 0
    rows: list[Row] = []
    for number in range(total):
        ordinal = int(number % 6 == 5)
        if not ordinal:
            station = int(STATIONS * random.random())
            taxon = int(TAXA * random.random() ** 3)
            before_s = int(DAYS * 86_400 * random.random())
        rows.append((number, station, taxon, ordinal, before_s, round(random.uniform(0.2, 1), 3)))
        if len(rows) == PORTION:
            yield rows
            rows = []
    if rows:
        yield rows
