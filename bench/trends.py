"""Query times of the trends page, the review queue and the stations page, by number of stored detections.

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
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from bench.filled_stores import DAYS, LAST, Filled, FilledDuckDb, FilledInflux, generate, id_of
from bench.ratios import ratio
from bench.report import Report, run_bench
from bench.stores import available_stores, open_influx
from ingest.store.port import EventQuery, Store
from pipelines.trends.counting import count_trends
from pipelines.trends.rate_trend import rate_trend
from pipelines.trends.request import TrendRequest

ZONE = ZoneInfo("Asia/Shanghai")
Query = Callable[[Store], object]
ROUND = "a round of all, median"


def page_queries(some_ids: tuple[str, ...]) -> dict[str, Query]:
    """Return the queries of the review pages by name; their results can be compared between stores."""
    return {
        "trends of 30 days": trends_of(30),
        "trends of 30 days, confidence 0.5": trends_of(30, score=0.5),
        "trends of 30 days, a station": trends_of(30, stations=("station-042",)),
        "trends of 365 days, a station": trends_of(DAYS, stations=("station-042",)),
        "trends of 365 days, a taxon": trends_of(DAYS, taxa=("taxon-003",)),
        "trends of 365 days": trends_of(DAYS),
        "rates of 30 days": rates_of(30),
        "rates of 365 days": rates_of(DAYS),
        "rates of 365 days, a taxon": rates_of(DAYS, "taxon-003"),
        "stations": lambda store: [(row.station, row.events, row.last_event_at) for row in store.stations()],
        "the newest 50 captures": listed(EventQuery()),
        "the newest 50, a station": listed(EventQuery(stations=("station-042",))),
        "the newest 50, a taxon": listed(EventQuery(taxa=("taxon-003",))),
        "the newest 50, a rare taxon": listed(EventQuery(taxa=("taxon-299",))),
        "50 captures by id": listed(EventQuery(event_ids=some_ids)),
    }


def trends_of(days: int, stations: tuple[str, ...] = (), taxa: tuple[str, ...] = (), score: float = 0.0) -> Query:
    """Return a query that counts detections by taxon, day and hour, as the trends page does."""
    last: date = LAST.astimezone(ZONE).date()
    first = last - timedelta(days=days - 1)
    return lambda store: [
        (row.taxon, row.by_day, row.by_hour)
        for row in count_trends(store, first, last, ZONE, stations, taxa, score).taxa
    ]


def rates_of(days: int, taxon: str = "") -> Query:
    """Return a query for rates by month with effort and intervals, as the trends page shows them."""
    last: date = LAST.astimezone(ZONE).date()
    request = TrendRequest(last - timedelta(days=days - 1), last, ZONE, taxon=taxon)
    return lambda store: [
        (one.name, [(cell.rate, cell.independent) for cell in one.cells])
        for one in rate_trend(store, request, now=LAST).series
    ]


def listed(query: EventQuery) -> Query:
    """Return a query that lists captures, as the review queue does."""
    return lambda store: [event.event_id for event in store.events(query)]


def percentile_95(seconds: list[float]) -> float:
    """Return the 95th percentile by the nearest-rank method."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


def main() -> int:
    """Fill the stores, run the queries at each number of detections and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--detections", type=int, default=10_000_000, help="largest number (default: 10 million)")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each query at each size")
    parser.add_argument("--only", choices=("duckdb", "influxdb"), help="one store only")
    parser.add_argument("--quick", action="store_true", help="100,000 detections, 3 rounds")
    chosen = parser.parse_args()
    total, rounds = (100_000, 3) if chosen.quick else (chosen.detections, chosen.rounds)
    kinds = (chosen.only,) if chosen.only else None
    return run_bench("trends", lambda report: _measure(available_stores(kinds, report), total, rounds, report))


def _measure(kinds: Sequence[str], total: int, rounds: int, report: Report) -> bool:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores: dict[str, Filled] = {}
        if "duckdb" in kinds:
            stores["duckdb"] = FilledDuckDb(folder)
        if "influxdb" in kinds:
            influx = open_influx(folder / "influx")
            stack.callback(influx.stop)
            stores["influxdb"] = FilledInflux(influx)
        if stores:
            _compare(stores, total, rounds, report)
        for filled in stores.values():
            filled.store.close()
    return bool(stores)


def _compare(stores: dict[str, Filled], total: int, rounds: int, report: Report) -> None:
    sizes = sorted({total, *(size for size in (20_000, 100_000, 1_000_000, 10_000_000) if size < total)})
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
    ratios = {f"{name} growth": ratio(last[name][ROUND], first[name][ROUND]) for name in stores}
    rounds_s = {name: by_query[ROUND] for name, by_query in last.items()}
    ratios["influxdb_over_duckdb"] = ratio(rounds_s.get("influxdb"), rounds_s.get("duckdb"))
    report.results(heading, table, ratios, {"p95_s": raw, "processor_s": processor, "fill_s": fill_s})


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
    sys.exit(main())
