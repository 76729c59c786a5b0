"""What is lost and what is doubled while station, broker, server and database are killed, the line cut, the disk full.

`python -m bench.faults [--quick] [--store duckdb|influxdb] [--events N] [--each N] [--seed N]`. A real station's outbox
and publisher, a real Mosquitto, `wildpost ingest` and a real InfluxDB each run as a process that is killed (SIGKILL)
and started again at random; station and server reach the broker through a proxy that is cut; the disk of server and
InfluxDB is a small one that is filled (where this user may mount one). DuckDB lives in the server's process and dies
with it. Then fifty stations send what a day without a network left in their outboxes.
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

from bench.breaking import Process, Proxy, counted, fill, mosquitto_program, small_disk, wait_connected
from bench.judging import judged, of_duckdb, of_influx
from bench.report import report
from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from edge.capture.clip import FileMark
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from tests.conftest import Mosquitto, free_port
from tests.influx_server import Influx, programs

SETTLE_S = 240.0  # without a message; what is not stored by then is counted as lost
REPEATED = "wildpost_records_repeated_total"


def captured(station: str, at: datetime) -> Event:
    """Make a capture of two detections."""
    return msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=at)


def outgoing(event: Event) -> OutboxMessage:
    """Make it ready for the outbox."""
    return OutboxMessage(topic_of("wildpost", event.station, "event"), encode(event))


def station(folder: Path, port: int, count: int, a_second: float) -> None:
    """Be a station: find captures, each committed with how far we are, and send them; ends when the broker has all."""
    outbox = Outbox(folder / "outbox.sqlite")
    publisher = Publisher(StationBrokerOptions(port=port, reconnect_max_s=1, in_flight=200), EVENT.station, outbox)
    publisher.start()
    mark = outbox.mark_of("captures", 0, 0)
    for first in range(mark.stretches if mark else 0, count, 50):
        now = datetime.now(UTC)
        found = [captured(EVENT.station, now + at * timedelta(milliseconds=1)) for at in range(min(50, count - first))]
        with (folder / "captured").open("a") as written:
            # Written down before it is committed; what the process took with it in between was never captured.
            written.write("".join(f"{one.event_id}\n" for one in found))
        outbox.commit([outgoing(one) for one in found], FileMark("captures", 0, 0, first + len(found), False))
        time.sleep(len(found) / a_second)
    while not publisher.drain(5):
        pass
    publisher.stop()
    outbox.close()


@dataclass
class Field:
    """Everything that runs, and what happened to it."""

    folder: Path
    broker: Mosquitto
    influx: Influx | None
    disk: bool
    database: str = ""
    asked: int = field(default_factory=free_port)
    suppressed: float = 0.0
    restarts_by_itself: int = 0
    database_restarts: int = 0
    _before: float = 0.0

    def __post_init__(self) -> None:
        """Start the server."""
        self.lines = {"station": Proxy(self.broker.port), "server": Proxy(self.broker.port)}
        settings = (
            f"[ingest]\nport = {self.asked}\n"
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
        """The folder on the small disk."""
        return self.folder / "server"

    def send(self, count: int, a_second: float) -> None:
        """Start the station."""
        (self.folder / "station").mkdir()
        words = [str(self.folder / "station"), str(self.lines["station"].port), str(count), str(a_second)]
        self.station = Process([sys.executable, "-m", "bench.faults", "--station", *words], self.folder / "log")

    def faults(self) -> list[str]:
        """Name what can break here."""
        found = ["station", "broker", "server", "network"]
        return found + ["database"] * (self.influx is not None) + ["disk"] * self.disk

    def break_(self, what: str, chance: random.Random) -> None:
        """Break one thing, and mend it."""
        away_s = chance.uniform(0.1, 1.0)
        if what == "station":
            self.station.kill()
            self.station.start()
        elif what == "broker":
            self.broker.kill()
            time.sleep(away_s / 2)
            self.broker.start()
        elif what == "server":
            self.server.kill()
            self.server.start()
        elif what == "database":
            assert self.influx
            self.influx.kill()
            time.sleep(away_s / 2)
            self.influx.start()
        elif what == "network":
            self.lines[chance.choice(["station", "server"])].cut(away_s)
        else:
            fill(self.data, away_s)

    def look_after(self) -> None:
        """Do as systemd does: start again what ended, as a server does that finds no room for its first file."""
        now = counted(self.asked, REPEATED)
        self.suppressed += now - self._before if now >= self._before else now
        self._before = now
        if self.server.ended is not None:
            self.restarts_by_itself += 1
            self.server.start()
        if self.station.ended not in (None, 0):
            self.station.start()

    def start_database_anew(self) -> None:
        """Do as an operator does who reads the log: InfluxDB 1.x refuses writes for good after its disk was full."""
        assert self.influx
        self.database_restarts += 1
        self.influx.kill()
        self.influx.start()

    def close(self) -> None:
        """Stop what still runs."""
        self.server.kill()
        self.station.kill()
        for line in self.lines.values():
            line.close()


def under_fire(count: int, each: int, kind: str, seed: int, spared: Sequence[str]) -> dict[str, Any]:
    """Send captures while everything breaks, and see what is stored."""
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = stack.enter_context(small_disk(folder / "server"))
        influx = open_influx(folder / "server" / "influx") if kind == "influxdb" else None
        if influx:
            stack.callback(influx.stop)
        # Mosquitto is told to save its whole state at every change: in memory, or the benchmark would measure the disk.
        stack.enter_context(small_disk(folder / "broker"))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        field_ = Field(folder, broker, influx, disk)
        faults = [one for one in field_.faults() if one not in spared] * each
        chance.shuffle(faults)
        wait_connected(field_.asked, folder / "log")  # before a server's first visit the broker keeps nothing for it
        began = time.monotonic()
        field_.send(count, count / max(1.0, 1.5 * len(faults)))
        stack.callback(field_.close)
        for what in faults:
            time.sleep(chance.uniform(0.1, 1.5))
            field_.look_after()
            field_.break_(what, chance)
        stored = _settled(field_, count)
        found = {
            "store": kind,
            "events": count,
            **stored,
            "suppressed_at_least": int(field_.suppressed),
            "faults": dict(Counter(faults)),
            "server_restarted_by_itself": field_.restarts_by_itself,
            "database_started_anew_by_hand": field_.database_restarts,
            "seconds": round(time.monotonic() - began, 1),
        }
        if stored["lost"] or stored["doubled"]:
            print((folder / "log").read_text()[-4000:], file=sys.stderr)
        return found


def open_influx(folder: Path) -> Influx:
    """Start an InfluxDB.

    Raises:
        SystemExit: its programs are not installed.
    """
    found = programs()
    if isinstance(found, str):
        raise SystemExit(found)
    return Influx(*found, folder)


def _settled(field_: Field, count: int) -> dict[str, int]:
    """Wait until all is stored or nothing more comes, stop the server, and judge."""
    field_.broker.save_seldom()
    quiet_since, last = time.monotonic(), -1.0
    started_anew = False
    while time.monotonic() - quiet_since < SETTLE_S:
        field_.look_after()
        received = counted(field_.asked, "wildpost_messages_received_total")
        waits = field_.station.ended is None or counted(field_.asked, "wildpost_messages_in_flight") or not received
        if received != last:
            quiet_since, last, started_anew = time.monotonic(), received, False
        elif field_.influx and waits and not started_anew and time.monotonic() - quiet_since > 30:
            field_.start_database_anew()
            started_anew = True
        elif not waits and time.monotonic() - quiet_since > 10:
            break
        time.sleep(0.3)
    field_.server.stop()
    ids = set((field_.folder / "station" / "captured").read_text().split())
    if field_.influx:
        return judged(*of_influx(field_.influx.url, field_.database), ids, count)
    return judged(*of_duckdb(field_.data / "detections.duckdb"), ids, count)


@contextlib.contextmanager
def _ingesting(folder: Path, port: int, asked: int) -> Iterator[None]:
    path = folder / "server.toml"
    path.write_text(f"[ingest]\nport = {asked}\n[broker]\nport = {port}\n")
    command = [sys.executable, "-m", "wildpost", "ingest", str(path), "--data", str(folder)]
    server = Process(command, folder / "log")
    try:
        wait_connected(asked, folder / "log")
        yield
    finally:
        server.stop()


def replay(stations: int, a_day: int) -> dict[str, Any]:
    """Send what a day without network left in the outboxes of many stations, and time it until it is durable."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker")
        stack.callback(broker.kill)
        outboxes = {f"station-{number:02}": Outbox(folder / f"{number}.sqlite") for number in range(stations)}
        day_began, apart = datetime.now(UTC) - timedelta(days=1), timedelta(days=1) / a_day
        for name, outbox in outboxes.items():
            stack.callback(outbox.close)
            outbox.commit([outgoing(captured(name, day_began + at * apart)) for at in range(a_day)])
        asked = free_port()
        stack.enter_context(_ingesting(folder, broker.port, asked))
        began = time.monotonic()
        for name, outbox in outboxes.items():
            publisher = Publisher(StationBrokerOptions(port=broker.port), name, outbox)
            publisher.start()
            stack.callback(publisher.stop)
        while counted(asked, "wildpost_records_stored_total") < stations * a_day:
            assert time.monotonic() - began < 1200, f"not all stored; see {folder}"
            time.sleep(0.1)
        seconds = time.monotonic() - began
        return {"stations": stations, "events": stations * a_day, "seconds": round(seconds, 1)}


def main() -> None:
    """Break everything, then replay a day."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="500 events, each fault once, 5 stations")
    parser.add_argument("--store", choices=("duckdb", "influxdb"), action="append", help="one store alone (or several)")
    parser.add_argument("--events", type=int, default=100_000, help="for each store (default: 100,000)")
    parser.add_argument("--each", type=int, default=50, help="how often each fault happens, for each store")
    parser.add_argument("--spare", action="append", default=[], help="what is not broken, such as broker")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order and the moments of faults")
    parser.add_argument("--station", nargs=4, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.station:
        folder, port, count, a_second = told.station
        station(Path(folder), int(port), int(count), float(a_second))
        return
    events, each = (500, 1) if told.quick else (told.events, told.each)
    fired = [under_fire(events, each, kind, told.seed, told.spare) for kind in told.store or ("duckdb", "influxdb")]
    replayed = replay(*((5, 48) if told.quick else (50, 288)))
    names = [name for name in fired[0] if name not in ("store", "faults")]
    rows = [[name, *(str(one[name]) for one in fired)] for name in names]
    rows += [[f"{what}: times", *(str(one["faults"].get(what, "")) for one in fired)] for what in fired[-1]["faults"]]
    for name, value in replayed.items():
        rows.append([f"a day's outage, {name}", str(value), *([""] * (len(fired) - 1))])
    heading = ["under fire", *(one["store"] for one in fired)]
    report("faults", heading, rows, {}, {"seed": told.seed, "under_fire": fired, "replay": replayed})
    wrong = sum(one[name] for one in fired for name in ("lost", "doubled", "detections_lost", "detections_doubled"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
