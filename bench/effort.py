"""Time of ``Store.effort`` for a year of records of many stations, and of the sums per local day from its result.

    python -m bench.effort [--stations N] [--every-hours H] [--rounds N] [--only duckdb|influxdb]

Each station has one sensor that writes a record every so many hours; one record in twenty is a gap, one in a hundred is
missing, one in a hundred overlaps the one before. The same records are written to each store through ``Store.write``.
Both must answer the same. InfluxDB is started here on a free port.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from bench.ratios import ratio
from bench.report import Report, run_bench
from bench.stores import available_stores, open_influx
from contract import Effort, encode, new_event_id
from contract.examples import EFFORT
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.effort import EffortQuery
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import Received, Store
from ingest.store.watched_time import watched_by_day
from pipelines.trends.counting import local_midnight, stretches

DAYS = 365
FIRST, ZONE = date(2025, 1, 1), ZoneInfo("Asia/Shanghai")
BATCH = 1_500


def records(stations: int, every: timedelta) -> Iterator[Effort]:
    """Yield synthetic effort records of every station for one year."""
    random, start = Random(18), local_midnight(FIRST, ZONE)
    for number in range(int(timedelta(days=DAYS) / every)):
        for station in range(stations):
            if random.random() < 0.01:
                continue
            begin = start + number * every - (every / 2 if random.random() < 0.01 else timedelta(0))
            watching = random.random() >= 0.05
            yield msgspec.structs.replace(
                EFFORT,
                effort_id=new_event_id(),
                station=f"station-{station:03d}",
                start=begin,
                end=start + (number + 1) * every,
                watching=watching,
                gap=None if watching else "blind",
            )


def main() -> int:
    """Fill the stores, run the effort queries on each store and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stations", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--every-hours", type=float, default=24, help="length of a record (default: 24)")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is asked; the slowest counts")
    parser.add_argument("--only", choices=("duckdb", "influxdb"), help="one store alone")
    told = parser.parse_args()
    kinds, every = (told.only,) if told.only else None, timedelta(hours=told.every_hours)
    return run_bench(
        "effort", lambda report: _measure(available_stores(kinds, report), told.stations, every, told.rounds, report)
    )


def _measure(kinds: Sequence[str], stations: int, every: timedelta, rounds: int, report: Report) -> bool:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores: dict[str, Store] = {}
        if "duckdb" in kinds:
            stores["duckdb"] = DuckDbStore(folder / "detections.duckdb")
        if "influxdb" in kinds:
            server = open_influx(folder / "influx")
            stack.callback(server.stop)
            stores["influxdb"] = InfluxDbStore(InfluxOptions(url=server.url, database=server.new_database()))
        if stores:
            _compare(stores, stations, every, rounds, report)
        for store in stores.values():
            store.close()
    return bool(stores)


def _compare(stores: dict[str, Store], stations: int, every: timedelta, rounds: int, report: Report) -> None:
    count = 0
    made = records(stations, every)
    while batch := list(islice(made, BATCH)):
        count += len(batch)
        for store in stores.values():
            store.write([Received(one, encode(one), datetime.now(UTC)) for one in batch])
    start = local_midnight(FIRST, ZONE)
    year = EffortQuery(start, start + timedelta(days=DAYS))
    month = EffortQuery(start + timedelta(days=300), start + timedelta(days=330))
    seconds: dict[str, dict[str, float]] = {name: {} for name in stores}
    for _ in range(rounds):
        for asked, query in (("year", year), ("month", month)):
            answers = []
            for name, store in stores.items():
                began = time.perf_counter()
                answers.append(store.effort(query))
                seconds[name][asked] = max(seconds[name].get(asked, 0), time.perf_counter() - began)
            assert answers[0], "nothing was found"
            assert all(answer == answers[0] for answer in answers), "the stores answer differently"
            if asked == "year":
                began = time.perf_counter()
                last = FIRST + timedelta(days=DAYS - 1)
                watched = watched_by_day(answers[0], FIRST, DAYS, stretches(FIRST, last, ZONE))
                sums_s = time.perf_counter() - began
                assert len(watched) == stations
    intervals = sum(len(sensor.intervals) for sensor in answers[0])
    table = [[name, *(f"{1000 * took:.0f}" for took in by_query.values())] for name, by_query in seconds.items()]
    table.append(["sums per day", f"{1000 * sums_s:.0f}", ""])
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    raw = {"records": count, "intervals": intervals, "seconds": seconds, "sums_s": sums_s, "peak_mib": peak_mib}
    year_s = {name: by_query["year"] for name, by_query in seconds.items()}
    ratios = {"influxdb_over_duckdb": ratio(year_s.get("influxdb"), year_s.get("duckdb"))}
    report.results([f"{count:,} records", "year, ms", "month, ms"], table, ratios, raw)


if __name__ == "__main__":
    sys.exit(main())
