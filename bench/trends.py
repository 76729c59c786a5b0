"""How long the trends page's queries take on DuckDB and on InfluxDB, as the detections grow.

    python -m bench.trends [--detections N] [--days N] [--only duckdb|influxdb] [--quick]

Detections of 200 stations and 300 taxa over a year are written in growing portions, straight in each store's layout,
since this measures reading; the same ones into both. At each size every query of the page is run through the stores by
turns, and the 95th percentile is taken. InfluxDB is started here on a free port. The ratio "influxdb_over_duckdb" is
InfluxDB's time over DuckDB's, all queries together; "growth" is the time at the largest size over the size before it.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from bench.report import report
from ingest.store.duckdb import DuckDbStore
from ingest.store.influx_link import InfluxLink, InfluxOptions
from ingest.store.influxdb import InfluxDbStore
from ingest.store.port import Store
from pipelines.trends import count_trends
from tests.influx_server import Influx, programs

STATIONS, TAXA, DAYS = 200, 300, 365
LAST = datetime(2026, 11, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
PORTION = 250_000
# A row: number, station, taxon, ordinal, seconds before LAST, confidence. Rare taxa are rare, as in a forest.
Row = tuple[int, int, int, int, int, float]


class Filled(Protocol):
    """A store that rows can be put into."""

    store: Store

    def fill(self, rows: list[Row]) -> None:
        """Put rows in."""


class FilledDuckDb:
    """Rows in the tables of a DuckDB store, made there by DuckDB."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "detections.duckdb"
        self.store: Store = DuckDbStore(self._path)

    def fill(self, rows: list[Row]) -> None:
        """See ``Filled.fill``."""
        self.store.close()
        end_us = int(LAST.timestamp()) * 1_000_000
        number, station, taxon, ordinal, before_s, confidence = (np.array(column) for column in zip(*rows, strict=True))
        with duckdb.connect(str(self._path)) as connection:
            columns = {"n": number, "s": station, "t": taxon, "o": ordinal, "b": before_s, "c": confidence}
            connection.register("rows", columns)
            connection.execute(
                "INSERT INTO detection SELECT 'event-' || (n - o), o, printf('station-%03d', s), "
                "?::BIGINT - b * 1000000, printf('taxon-%03d', t), 'animal', c, 'bench' FROM rows",
                [end_us],
            )
        self.store = DuckDbStore(self._path)


class FilledInflux:
    """Rows as points of a real InfluxDB, as its store lays them out."""

    def __init__(self, server: Influx) -> None:
        options = InfluxOptions(url=server.url, database=server.new_database(), timeout_s=300)
        self.store: Store = InfluxDbStore(options)
        self._link = InfluxLink(options, "")

    def fill(self, rows: list[Row]) -> None:
        """See ``Filled.fill``."""
        end = int(LAST.timestamp())
        self._link.write(
            [
                f"detection,model=bench,observationType=animal,ordinal={o},"
                f'sensor=camera,station=station-{s:03},taxon=taxon-{t:03} event_id="event-{n - o}",'
                f"confidence={c},certainty={c},"
                f'counts=1i,leads={int(o == 0)}i,review="machine" {(end - b) * 1_000_000_000 + n % 990_000}'
                for n, s, t, o, b, c in rows
            ]
        )


def made(total: int) -> Iterator[list[Row]]:
    """Make detections in portions; one capture in five holds two of a kind."""
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


def page_queries() -> dict[str, tuple[int, tuple[str, ...], tuple[str, ...], float]]:
    """Name the queries of the page: days, stations, taxa, threshold."""
    return {
        "30 days": (30, (), (), 0.0),
        "30 days, surer than 0.5": (30, (), (), 0.5),
        "30 days, a station": (30, ("station-042",), (), 0.0),
        "365 days, a station": (DAYS, ("station-042",), (), 0.0),
        "365 days, a taxon": (DAYS, (), ("taxon-003",), 0.0),
        "365 days": (DAYS, (), (), 0.0),
    }


def timed(store: Store, query: tuple[int, tuple[str, ...], tuple[str, ...], float]) -> tuple[float, int]:
    """Run one query of the page: its seconds, and what it counted."""
    days, stations, taxa, sure = query
    last: date = LAST.astimezone(ZONE).date()
    start = time.perf_counter()
    trends = count_trends(store, last - timedelta(days=days - 1), last, ZONE, stations, taxa, sure)
    return time.perf_counter() - start, sum(taxon.detections for taxon in trends.taxa)


def percentile_95(seconds: list[float]) -> float:
    """Take the value that 95 of 100 do not pass."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--detections", type=int, default=10_000_000, help="how many in the end (default: 10 million)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each query is run at each size")
    parser.add_argument("--only", choices=("duckdb", "influxdb"), help="one store alone")
    parser.add_argument("--quick", action="store_true", help="200,000 detections, 3 rounds")
    told = parser.parse_args()
    total, rounds = (200_000, 3) if told.quick else (told.detections, told.rounds)
    found = programs()
    if isinstance(found, str) and told.only != "duckdb":
        raise SystemExit(found)
    with tempfile.TemporaryDirectory() as name:
        server = None if told.only == "duckdb" or isinstance(found, str) else Influx(*found, Path(name) / "influx")
        try:
            stores: dict[str, Filled] = {}
            if told.only != "influxdb":
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
    fill_s = dict.fromkeys(stores, 0.0)
    for rows in made(total):
        while rows:
            now = rows[: next(size for size in sizes if size > written) - written]
            rows = rows[len(now) :]
            for name, filled in stores.items():
                start = time.perf_counter()
                filled.fill(now)
                fill_s[name] += time.perf_counter() - start
            written += len(now)
            if written in sizes:
                found = _ask(stores, rounds)
                raw[str(written)] = found
                table += [
                    [f"{written:,}", query, *(f"{1000 * found[name][query]:.0f}" for name in stores)]
                    for query in next(iter(found.values()))
                ]
    heading = ["detections", "query", *(f"{name}, p95 ms" for name in stores)]
    last = raw[str(total)]
    first = raw[str(sizes[-2])] if len(sizes) > 1 else last
    ratios = {f"{name} growth": last[name]["all"] / first[name]["all"] for name in stores}
    if len(stores) == 2:
        ratios["influxdb_over_duckdb"] = last["influxdb"]["all"] / last["duckdb"]["all"]
    report("trends", heading, table, ratios, {"p95_s": raw, "fill_s": fill_s})


def _ask(stores: dict[str, Filled], rounds: int) -> dict[str, dict[str, float]]:
    seconds: dict[str, dict[str, list[float]]] = {name: {query: [] for query in page_queries()} for name in stores}
    for _ in range(rounds):
        for query, words in page_queries().items():
            counted = set()
            for name, filled in stores.items():
                took, count = timed(filled.store, words)
                seconds[name][query].append(took)
                counted.add(count)
            assert len(counted) == 1, f"the stores count differently: {query}: {counted}"
    return {
        name: {query: percentile_95(took) for query, took in by_query.items()}
        | {"all": percentile_95([one for took in by_query.values() for one in took])}
        for name, by_query in seconds.items()
    }


if __name__ == "__main__":
    main()
