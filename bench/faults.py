"""Lost and duplicated records under faults: killed processes, cut connections, a full disk.

`python -m bench.faults [--quick] [--store duckdb|influxdb] [--events N] [--each N] [--seed N]`. A real station's outbox
and publisher, a real Mosquitto, `wildpost ingest` and a real InfluxDB each run as a process that is killed (SIGKILL)
and restarted at random times; station and server connect to the broker through a proxy that is cut; server and InfluxDB
use a small disk that is filled (if this user may mount one). DuckDB runs in the server's process and is killed with it.
Afterwards fifty stations send the backlog of a day without a network.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.breaking import Process, Proxy, fill, metric_total, mosquitto_program, small_disk, wait_connected
from bench.judging import count_losses, of_duckdb, of_influx
from bench.report import Report, run_bench
from bench.stores import available_stores, open_influx
from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from edge.capture.clip import FileMark
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from tests.conftest import Mosquitto, free_port
from tests.influx_server import Influx

SETTLE_S = 240.0  # time without a message after which missing records count as lost
REPEATED = "wildpost_records_repeated_total"


def captured(station: str, at: datetime) -> Event:
    """Return a capture with two detections."""
    return msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=at)


def outgoing(event: Event) -> OutboxMessage:
    """Return the outbox message of an event."""
    return OutboxMessage(topic_of("wildpost", event.station, "event"), encode(event))


def station(folder: Path, port: int, count: int, a_second: float) -> None:
    """Run a station that stores captures in its outbox and publishes them, until the broker has acknowledged all."""
    outbox = Outbox(folder / "outbox.sqlite")
    publisher = Publisher(StationBrokerOptions(port=port, reconnect_max_s=1, in_flight=200), EVENT.station, outbox)
    publisher.start()
    mark = outbox.mark_of("captures", 0, 0)
    for first in range(mark.stretches if mark else 0, count, 50):
        now = datetime.now(UTC)
        events = [captured(EVENT.station, now + at * timedelta(milliseconds=1)) for at in range(min(50, count - first))]
        with (folder / "captured").open("a") as written:
            # Recorded before the commit: captures that are lost with a kill in between do not count.
            written.write("".join(f"{event.event_id}\n" for event in events))
        outbox.commit([outgoing(event) for event in events], FileMark("captures", 0, 0, first + len(events), False))
        time.sleep(len(events) / a_second)
    while not publisher.drain(5):
        pass
    publisher.stop()
    outbox.close()


@dataclass
class Testbed:
    """The processes of one run, with counts of their restarts."""

    folder: Path
    broker: Mosquitto
    influx: Influx | None
    disk: bool
    database: str = ""
    metrics_port: int = field(default_factory=free_port)
    suppressed: float = 0.0
    restarts_by_itself: int = 0
    database_restarts: int = 0
    _before: float = 0.0

    def __post_init__(self) -> None:
        """Start the server."""
        self.lines = {"station": Proxy(self.broker.port), "server": Proxy(self.broker.port)}
        settings = (
            f"[ingest]\nport = {self.metrics_port}\n"
            f"[broker]\nport = {self.lines['server'].port}\nretry_max_s = 1.0\nlive_minutes = 0\n"
        )
        if self.influx:
            self.database = self.influx.new_database()
            settings += (
                f'[store]\nkind = "influxdb"\n[store.influxdb]\nurl = "{self.influx.url}"\n'
                f'database = "{self.database}"\ntimeout_s = 5.0\n'
            )
        path = self.folder / "server.toml"
        path.write_text(settings)
        command = [sys.executable, "-m", "wildpost", "ingest", str(path), "--data", str(self.data)]
        self.server = Process(command, self.folder / "log")

    @property
    def data(self) -> Path:
        """Data folder of the server, on the disk that is filled by one of the faults."""
        return self.folder / "server"

    def send(self, count: int, a_second: float) -> None:
        """Start the station, which sends ``count`` captures at ``a_second`` captures per second."""
        (self.folder / "station").mkdir()
        words = [str(self.folder / "station"), str(self.lines["station"].port), str(count), str(a_second)]
        self.station = Process([sys.executable, "-m", "bench.faults", "--station", *words], self.folder / "log")

    def faults(self) -> list[str]:
        """Return the faults that can be injected in this run."""
        found = ["station", "broker", "server", "network"]
        return found + ["database"] * (self.influx is not None) + ["disk"] * self.disk

    def inject(self, fault: str, chance: random.Random) -> None:
        """Cause a fault and end it."""
        away_s = chance.uniform(0.1, 1.0)
        if fault == "station":
            self.station.kill()
            self.station.start()
        elif fault == "broker":
            self.broker.kill()
            time.sleep(away_s / 2)
            self.broker.start()
        elif fault == "server":
            self.server.kill()
            self.server.start()
        elif fault == "database":
            assert self.influx
            self.influx.kill()
            time.sleep(away_s / 2)
            self.influx.start()
        elif fault == "network":
            self.lines[chance.choice(["station", "server"])].cut(away_s)
        else:
            fill(self.data, away_s)

    def restart_ended(self) -> None:
        """Restart ended processes as systemd does; a server ends if the disk is full when it starts."""
        now = metric_total(self.metrics_port, REPEATED)
        self.suppressed += now - self._before if now >= self._before else now
        self._before = now
        if self.server.ended is not None:
            self.restarts_by_itself += 1
            self.server.start()
        if self.station.ended not in (None, 0):
            self.station.start()

    def restart_database(self) -> None:
        """Restart InfluxDB as an operator would: after a full disk, InfluxDB 1.x refuses writes until a restart."""
        assert self.influx
        self.database_restarts += 1
        self.influx.kill()
        self.influx.start()

    def close(self) -> None:
        """Kill the server and the station and close the proxies."""
        self.server.kill()
        self.station.kill()
        for line in self.lines.values():
            line.close()


def run_with_faults(
    count: int, each: int, kind: str, seed: int, spared: Sequence[str], quiet_s: float
) -> dict[str, Any]:
    """Send captures while faults are injected; return the lost and duplicated records.

    They are counted after ``quiet_s`` without a message if nothing is pending.
    """
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = stack.enter_context(small_disk(folder / "server"))
        influx = open_influx(folder / "server" / "influx") if kind == "influxdb" else None
        if influx:
            stack.callback(influx.stop)
        # Mosquitto saves its whole state at every change; in memory, so that the benchmark does not measure the disk.
        stack.enter_context(small_disk(folder / "broker"))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        testbed = Testbed(folder, broker, influx, disk)
        faults = [fault for fault in testbed.faults() if fault not in spared] * each
        chance.shuffle(faults)
        wait_connected(testbed.metrics_port, folder / "log")  # the broker queues nothing before the first connection
        began = time.monotonic()
        testbed.send(count, count / max(1.0, 1.5 * len(faults)))
        stack.callback(testbed.close)
        for fault in faults:
            time.sleep(chance.uniform(0.1, 1.5))
            testbed.restart_ended()
            testbed.inject(fault, chance)
        stored = _settled(testbed, count, quiet_s)
        found = {
            "store": kind,
            "events": count,
            **stored,
            "suppressed_at_least": int(testbed.suppressed),
            "faults": dict(Counter(faults)),
            "server_restarted_by_itself": testbed.restarts_by_itself,
            "database_started_anew_by_hand": testbed.database_restarts,
            "seconds": round(time.monotonic() - began, 1),
        }
        if stored["lost"] or stored["doubled"]:
            print((folder / "log").read_text()[-4000:], file=sys.stderr)
        return found


def _settled(testbed: Testbed, count: int, quiet_s: float) -> dict[str, int]:
    """Wait until all records are stored or no more arrive, stop the server, and count the losses."""
    testbed.broker.save_seldom()
    quiet_since, last = time.monotonic(), -1.0
    restarted = False
    while time.monotonic() - quiet_since < SETTLE_S:
        testbed.restart_ended()
        received = metric_total(testbed.metrics_port, "wildpost_messages_received_total")
        pending = (
            testbed.station.ended is None
            or metric_total(testbed.metrics_port, "wildpost_messages_in_flight")
            or not received
            or not metric_total(testbed.metrics_port, "wildpost_connected")
        )
        if received != last:
            quiet_since, last, restarted = time.monotonic(), received, False
        elif testbed.influx and pending and not restarted and time.monotonic() - quiet_since > 30:
            testbed.restart_database()
            restarted = True
        elif not pending and time.monotonic() - quiet_since > quiet_s:
            break
        time.sleep(0.3)
    testbed.server.stop()
    ids = set((testbed.folder / "station" / "captured").read_text().split())
    if testbed.influx:
        return count_losses(*of_influx(testbed.influx.url, testbed.database), ids, count)
    return count_losses(*of_duckdb(testbed.data / "detections.duckdb"), ids, count)


@contextlib.contextmanager
def _ingesting(folder: Path, port: int, metrics_port: int) -> Iterator[None]:
    path = folder / "server.toml"
    path.write_text(f"[ingest]\nport = {metrics_port}\n[broker]\nport = {port}\n")
    command = [sys.executable, "-m", "wildpost", "ingest", str(path), "--data", str(folder)]
    server = Process(command, folder / "log")
    try:
        wait_connected(metrics_port, folder / "log")
        yield
    finally:
        server.stop()


def replay(stations: int, a_day: int) -> dict[str, Any]:
    """Send the backlog of a day from the outboxes of many stations; return the time until all is stored durably."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        outboxes = {f"station-{number:02}": Outbox(folder / f"{number}.sqlite") for number in range(stations)}
        start, interval = datetime.now(UTC) - timedelta(days=1), timedelta(days=1) / a_day
        for name, outbox in outboxes.items():
            stack.callback(outbox.close)
            outbox.commit([outgoing(captured(name, start + at * interval)) for at in range(a_day)])
        metrics_port = free_port()
        stack.enter_context(_ingesting(folder, broker.port, metrics_port))
        began = time.monotonic()
        for name, outbox in outboxes.items():
            publisher = Publisher(StationBrokerOptions(port=broker.port), name, outbox)
            publisher.start()
            stack.callback(publisher.stop)
        while metric_total(metrics_port, "wildpost_records_stored_total") < stations * a_day:
            assert time.monotonic() - began < 1200, f"not all stored; see {folder}"
            time.sleep(0.1)
        seconds = time.monotonic() - began
        return {"stations": stations, "events": stations * a_day, "seconds": round(seconds, 1)}


def main() -> None:
    """Run with faults, then replay a day's backlog, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="500 events, each fault once, 5 stations")
    parser.add_argument("--store", choices=("duckdb", "influxdb"), action="append", help="one store only (repeatable)")
    parser.add_argument("--events", type=int, default=100_000, help="events for each store (default: 100,000)")
    parser.add_argument("--each", type=int, default=50, help="number of times that each fault happens, for each store")
    parser.add_argument("--spare", action="append", default=[], help="a fault to leave out (repeatable)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="random seed of the faults")
    parser.add_argument("--station", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.station:
        folder, port, count, a_second = arguments.station
        station(Path(folder), int(port), int(count), float(a_second))
        return
    sys.exit(run_bench("faults", lambda report: _measure(arguments, report)))


def _measure(arguments: argparse.Namespace, report: Report) -> bool:
    events, each, quiet_s = (500, 1, 5.0) if arguments.quick else (arguments.events, arguments.each, 10.0)
    runs = []
    for kind in available_stores(arguments.store, report):
        run = report.attempt(kind, run_with_faults, events, each, kind, arguments.seed, arguments.spare, quiet_s)
        runs += [run] if run else []
    replayed = report.attempt("replay", replay, *((5, 48) if arguments.quick else (50, 288)))
    names = [name for name in runs[0] if name not in ("store", "faults")] if runs else []
    rows = [[name, *(str(run[name]) for run in runs)] for name in names]
    faults = {fault for run in runs for fault in run["faults"]}
    rows += [[f"{fault}: times", *(str(run["faults"].get(fault, "")) for run in runs)] for fault in sorted(faults)]
    heading = ["with faults", *([run["store"] for run in runs] or ["not run"])]
    for name, value in (replayed or {}).items():
        rows.append([f"a day's outage, {name}", str(value), *([""] * (len(heading) - 2))])
    report.results(heading, rows, {}, {"seed": arguments.seed, "under_fire": runs, "replay": replayed})
    wrong = sum(run[name] for run in runs for name in ("lost", "doubled", "detections_lost", "detections_doubled"))
    return not wrong


if __name__ == "__main__":
    main()
