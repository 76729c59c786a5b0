"""Messages stored durably per second: Wildpost with DuckDB and InfluxDB, a plain paho client, and Node-RED.

`python -m bench.ingest [--quick] [--messages N] [--rounds N] [--node-red FOLDER] [--gogc N]`. Each contestant has the
same messages queued in its session at a real Mosquitto and is timed from its first durable messages to its last, so
that its start-up is not counted. Bare paho acknowledges each message and does nothing else: the limit of any intake
built on paho. Node-RED is used if `make bench-peers` has installed it; it acknowledges before it writes, and is timed
by its points in InfluxDB. InfluxDB's garbage collector is set as docs/how-to/influxdb.md advises, for all contestants;
`--gogc 100` is the default. CPU time is reported too, since other programs affect it less.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.ingest_contestants import Load, Result, run_contestant, run_node_red, run_workers
from bench.peers import NODE_RED, node_red_problem
from bench.ratios import cell, median_of, median_ratio, ratio
from bench.report import Report, run_bench
from bench.stores import available_stores, open_influx
from tests.influx_server import Influx

QUICK_MESSAGES = 5_000  # more than three batches of 1,500, which may be there at the first look


@dataclass
class Runs:
    """Results of each compared program, one result for each round; None for a run that failed."""

    loads: dict[str, Load]
    contestants: dict[str, list[Result | None]]
    workers: dict[int, list[float | None]]
    node_red: list[tuple[float | None, int]] = field(default_factory=list)


def main() -> int:
    """Run the compared programs in turn, round by round, and print the comparison."""
    arguments = _arguments()
    count, rounds = (QUICK_MESSAGES, 1) if arguments.quick else (arguments.messages, arguments.rounds)
    os.environ["GOGC"] = str(arguments.gogc)

    def measure(report: Report) -> bool:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            influx = open_influx(folder / "influx") if "influxdb" in available_stores(None, report) else None
            if influx:
                stack.callback(influx.stop)
            if problem := node_red_problem(arguments.node_red) or report.missing.get("InfluxDB"):
                report.missing["Node-RED"] = problem
            summarise(_run(count, rounds, influx, arguments.node_red, report), count, report)
        return True

    return run_bench("ingest", measure)


def _run(count: int, rounds: int, influx: Influx | None, packages: Path, report: Report) -> Runs:
    loads = {"paho": Load()}
    for store in ("duckdb", "influxdb") if influx else ("duckdb",):
        loads[store] = Load()
        loads[f"{store}, 10 detections"] = Load(detections=10)
        loads[f"{store}, 20 stations over their budgets"] = Load(stations=20)
    runs = Runs(loads, {name: [] for name in loads}, {1: [], 2: []} if influx else {})
    for _ in range(rounds):
        for name, load in loads.items():
            result = report.attempt(name, run_contestant, name.partition(",")[0], count, load, influx)
            runs.contestants[name].append(result)
        if influx:
            for workers, rates in runs.workers.items():
                # More messages: the first worker starts before the second is connected.
                more = (2 if count <= QUICK_MESSAGES else 3) * count
                rates.append(report.attempt(f"workers {workers}", run_workers, more, workers, influx))
            if "Node-RED" not in report.missing:
                peer = report.attempt("Node-RED", run_node_red, packages, count, influx)
                runs.node_red += [peer] if peer else []
    return runs


def summarise(runs: Runs, count: int, report: Report) -> None:
    """Compute the medians and ratios of the runs, and store them in the report."""
    rows: list[list[str]] = []
    ratios: dict[str, float | None] = {}
    raw: dict[str, object] = {
        "messages": count,
        "rounds": len(runs.contestants["paho"]),
        "gogc": os.environ.get("GOGC"),
    }
    rates = {name: [run.rate if run else None for run in results] for name, results in runs.contestants.items()}
    for name, results in runs.contestants.items():
        rate, cpu_us = median_of(rates[name]), median_of(run.processor_us if run else None for run in results)
        each = runs.loads[name].detections
        rows.append([name, cell(rate, ",.0f"), cell(rate and rate * each, ",.0f"), cell(cpu_us, ".0f")])
        raw[name] = {"messages_s": rate and round(rate), "processor_us": cpu_us and round(cpu_us)}
    for store in ("duckdb", "influxdb"):
        ratios[f"{store} / paho"] = median_ratio(rates[store], rates["paho"]) if store in rates else None
    for number, of_workers in runs.workers.items():
        rate = median_of(of_workers)
        rows.append([f"influxdb, --workers {number}", cell(rate, ",.0f"), "", ""])
        raw[f"workers {number}"] = rate and round(rate)
    ratios["two workers / one"] = median_ratio(runs.workers[2], runs.workers[1]) if runs.workers else None
    peer = median_of(rate for rate, _ in runs.node_red)
    least = min((stored for _, stored in runs.node_red), default=None)
    stored = "not run" if least is None else f"InfluxDB ({least} of {count} stored)"
    rows.append([f"Node-RED, {stored}", cell(peer, ",.0f"), "", ""])
    raw["node_red"] = {"messages_s": peer and round(peer), "stored": least}
    for store in ("duckdb", "influxdb"):
        ratios[f"{store} / Node-RED"] = ratio(median_of(rates.get(store, [])), peer)
    report.results(["contestant", "durable messages/s", "detections/s", "processor us/message"], rows, ratios, raw)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_MESSAGES:,} messages, one round")
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--node-red", type=Path, default=NODE_RED, help="its folder (default: .bench/node-red)")
    parser.add_argument("--gogc", type=int, default=400, help="InfluxDB's GOGC (default: 400)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
