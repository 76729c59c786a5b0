"""Query times of the trends page, the queue and the stations' page by number of detections.

    python -m bench.trends [--detections N] [--rounds N] [--only duckdb|influxdb] [--quick]

The same captures of 200 stations and 300 taxa over a year are written to both stores, in portions and directly in each
store's layout, since only reading is measured. They are not in order of time, which is harder than in practice: a
filter by time must scan everything. At each size every query is run on the stores by turns, and the 95th percentile is
reported; both stores must return the same result. InfluxDB is started on a free port. The ratio "influxdb_over_duckdb"
is InfluxDB's time over DuckDB's for a round of all queries; "growth" is the time of a round at the largest size over
that at the size before. The CPU time, a median, is that of this process, which includes DuckDB but not InfluxDB: it is
more reliable while other programs use the machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Protocol
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from bench.report import report
from contract import encode
from contract.examples import EVENT, HEALTH
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.duckdb.tables import counting
from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions
from ingest.store.influxdb.points import id_time
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import EventQuery, Store
from pipelines.trends.counting import count_trends
from tests.influx_server import Influx, programs

STATIONS, TAXA, DAYS = 200, 300, 365
LAST = datetime(2026, 11, 1, tzinfo=UTC)
LAST_US = int(LAST.timestamp()) * 1_000_000
ZONE = ZoneInfo("Asia/Shanghai")
PORTION = 1_000_000
HEALTH_EVERY_H = 4
# A row: number, station, taxon, ordinal, seconds before LAST, confidence. The taxa have unequal frequencies.
Row = tuple[int, int, int, int, int, float]
Query = Callable[[Store], object]
ROUND = "a round of all, median"


def payload_parts() -> tuple[str, ...]:
    """Split a payload at the id, the station, the time and the hash of 64 digits, which each capture fills in."""
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
            connection.execute("INSERT INTO detection" + counting("found", "(SELECT * FROM verdict WHERE false)"))  # noqa: S608, our own words
            connection.execute(
                "INSERT INTO event SELECT event_id, station, captured_us, captured_us, ? || event_id || ? || station "
                "|| ? || strftime(make_timestamp(captured_us), '%Y-%m-%dT%H:%M:%SZ') || ? || md5(event_id) || "
                "md5(event_id || '.') || ? FROM found WHERE ordinal = 0",
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
                    f"confidence={c},certainty={c},"
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


def id_of(number: int, before_s: int) -> str:
    """Return the UUIDv7 id of a capture, which contains its time."""
    milliseconds = LAST_US // 1000 - before_s * 1000
    return f"{milliseconds >> 16:08x}-{milliseconds & 65535:04x}-7000-8000-{number:012}"


def generate(total: int) -> Iterator[list[Row]]:
    """Yield detections in portions; one capture in five has two detections of a taxon."""
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


def page_queries(some_ids: tuple[str, ...]) -> dict[str, Query]:
    """Return the queries of the pages by name; their results can be compared."""
    return {
        "trends of 30 days": trends_of(30),
        "trends of 30 days, confidence 0.5": trends_of(30, score=0.5),
        "trends of 30 days, a station": trends_of(30, stations=("station-042",)),
        "trends of 365 days, a station": trends_of(DAYS, stations=("station-042",)),
        "trends of 365 days, a taxon": trends_of(DAYS, taxa=("taxon-003",)),
        "trends of 365 days": trends_of(DAYS),
        "stations": lambda store: [(row.station, row.events, row.last_event_at) for row in store.stations()],
        "the newest 50 captures": listed(EventQuery()),
        "the newest 50, a station": listed(EventQuery(stations=("station-042",))),
        "the newest 50, a taxon": listed(EventQuery(taxa=("taxon-003",))),
        "the newest 50, a rare taxon": listed(EventQuery(taxa=("taxon-299",))),
        "50 captures by id": listed(EventQuery(event_ids=some_ids)),
    }


def trends_of(days: int, stations: tuple[str, ...] = (), taxa: tuple[str, ...] = (), score: float = 0.0) -> Query:
    """Return a query of the trends page."""
    last: date = LAST.astimezone(ZONE).date()
    first = last - timedelta(days=days - 1)
    return lambda store: [
        (row.taxon, row.by_day, row.by_hour)
        for row in count_trends(store, first, last, ZONE, stations, taxa, score).taxa
    ]


def listed(query: EventQuery) -> Query:
    """Return a query of the review queue."""
    return lambda store: [event.event_id for event in store.events(query)]


def percentile_95(seconds: list[float]) -> float:
    """Return the 95th percentile by the nearest-rank method."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


def main() -> None:
    """Fill the stores, run the queries at each size and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--detections", type=int, default=10_000_000, help="largest number (default: 10 million)")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each query at each size")
    parser.add_argument("--only", choices=("duckdb", "influxdb"), help="one store only")
    parser.add_argument("--quick", action="store_true", help="200,000 detections, 3 rounds")
    chosen = parser.parse_args()
    total, rounds = (200_000, 3) if chosen.quick else (chosen.detections, chosen.rounds)
    found = programs()
    if isinstance(found, str) and chosen.only != "duckdb":
        raise SystemExit(found)
    with tempfile.TemporaryDirectory() as name:
        server = None if chosen.only == "duckdb" or isinstance(found, str) else Influx(*found, Path(name) / "influx")
        try:
            stores: dict[str, Filled] = {}
            if chosen.only != "influxdb":
                stores["duckdb"] = FilledDuckDb(Path(name))
            if server is not None:
                stores["influxdb"] = FilledInflux(server)
            _measure(stores, total, rounds)
            for filled in stores.values():
                filled.store.close()
        finally:
            if server is not None:
                server.stop()


def _measure(stores: dict[str, Filled], total: int, rounds: int) -> None:
    sizes = sorted({total, *(size for size in (100_000, 1_000_000, 10_000_000) if size < total)})
    written, table = 0, list[list[str]]()
    raw: dict[str, dict[str, dict[str, float]]] = {}
    processor: dict[str, dict[str, dict[str, float]]] = {}
    fill_s = dict.fromkeys(stores, 0.0)
    for rows in generate(total):
        some_ids = tuple(id_of(n - o, b) for n, _, _, o, b, _ in rows[:: max(1, len(rows) // 50)])[:50]
        while rows:
            now = rows[: next(size for size in sizes if size > written) - written]
            rows = rows[len(now) :]
            for name, filled in stores.items():
                start = time.perf_counter()
                filled.fill(now)
                fill_s[name] += time.perf_counter() - start
            written += len(now)
            if written in sizes:
                found, used = _run_queries(stores, page_queries(some_ids), rounds)
                raw[str(written)], processor[str(written)] = found, used
                table += [
                    [
                        f"{written:,}",
                        query,
                        *(f"{1000 * found[name][query]:.0f}" for name in stores),
                        *(f"{1000 * used[name][query]:.0f}" for name in stores),
                    ]
                    for query in next(iter(found.values()))
                ]
    heading = ["detections", "query", *(f"{name}, p95 ms" for name in stores), *(f"{name}, cpu ms" for name in stores)]
    last = raw[str(total)]
    first = raw[str(sizes[-2])] if len(sizes) > 1 else last
    ratios = {f"{name} growth": last[name][ROUND] / first[name][ROUND] for name in stores}
    if len(stores) == 2:
        ratios["influxdb_over_duckdb"] = last["influxdb"][ROUND] / last["duckdb"][ROUND]
    report("trends", heading, table, ratios, {"p95_s": raw, "processor_s": processor, "fill_s": fill_s})


def _run_queries(
    stores: dict[str, Filled], queries: dict[str, Query], rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    seconds: dict[str, dict[str, list[float]]] = {name: {query: [] for query in queries} for name in stores}
    used: dict[str, dict[str, list[float]]] = {name: {query: [] for query in queries} for name in stores}
    for _ in range(rounds):
        for query, ask in queries.items():
            answers = []
            for name, filled in stores.items():
                start, used_before = time.perf_counter(), time.process_time()
                answers.append(ask(filled.store))
                seconds[name][query].append(time.perf_counter() - start)
                used[name][query].append(time.process_time() - used_before)
            assert answers[0], f"no result: {query}"
            assert all(answer == answers[0] for answer in answers), f"the stores return different results: {query}"
    return (
        {
            name: {query: percentile_95(took) for query, took in by_query.items()} | {ROUND: _round(by_query)}
            for name, by_query in seconds.items()
        },
        {
            name: {query: median(took) for query, took in by_query.items()} | {ROUND: _round(by_query)}
            for name, by_query in used.items()
        },
    )


def _round(by_query: dict[str, list[float]]) -> float:
    return median(map(sum, zip(*by_query.values(), strict=True)))


if __name__ == "__main__":
    main()
