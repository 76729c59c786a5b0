"""How many messages a second become durable: ours on DuckDB and on InfluxDB, beside bare paho and Node-RED.

`python -m bench.ingest [--quick] [--messages N] [--rounds N] [--node-red FOLDER] [--gogc N]`. Each contestant finds
the same messages waiting in its session at a real Mosquitto and is timed from its first durable messages to its last,
so that its start is not counted. Bare paho acknowledges each and does nothing with it: the limit of what is built on
paho. Node-RED comes by npm into a temporary folder (or FOLDER, where it is kept); it acknowledges before it writes, and
is timed by its points in InfluxDB. InfluxDB collects its garbage as docs/how-to/influxdb.md advises, for everyone here;
`--gogc 100` is as it comes. Processor time is given beside the clock's, since it holds on a busy machine as well.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench import node_red
from bench.breaking import mosquitto_program
from bench.report import report
from contract import Event, encode, new_event_id, subscription, topic_of
from contract.examples import EVENT
from contract.mqtt import make_client
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from tests.conftest import Mosquitto
from tests.influx_server import Influx, programs
from wildpost.server.gc_tuning import reduced_garbage_collection

CLIENT = "bench"
STATIONS = 20


class Result(msgspec.Struct, frozen=True):
    """What one run took."""

    messages: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def events(count: int, detections: int) -> list[tuple[str, bytes]]:
    """Make messages of captures that differ in id, station and time."""
    found = EVENT.detections[-1]
    made = []
    began = datetime.now(UTC) - timedelta(hours=12)
    for number in range(count):
        event = msgspec.structs.replace(
            EVENT,
            event_id=new_event_id(),
            station=f"station-{number % STATIONS:02}",
            captured_at=began + number * timedelta(milliseconds=40),
            detections=tuple(msgspec.structs.replace(found, ordinal=at) for at in range(detections)),
        )
        made.append(message_of(event))
    return made


def message_of(event: Event) -> tuple[str, bytes]:
    """Give topic and payload."""
    return topic_of("wildpost", event.station, "event"), encode(event)


def lay_up(
    port: int,
    sessions: Mapping[str, Sequence[str]],
    messages: Sequence[tuple[str, bytes]],
    like: ReceiverOptions | None = None,
) -> None:
    """Open sessions at the broker, leave them, and publish what will wait in them."""
    for client_id, topics in sessions.items():
        options = like or ReceiverOptions(port=port, client_id=client_id)
        client = make_client(mqtt.Client, options, client_id, keep_session=True, manual_ack=True)
        done = threading.Event()
        client.on_subscribe = lambda *_, done=done: done.set()
        client.connect(**options.session_arguments())
        client.loop_start()
        client.subscribe([(topic, 1) for topic in topics])
        assert done.wait(60)
        client.disconnect()
        client.loop_stop()
    publisher = mqtt.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(500)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    sent = [publisher.publish(topic, payload, qos=1) for topic, payload in messages]
    for info in sent:
        info.wait_for_publish(600)
        assert info.is_published()
    publisher.disconnect()
    publisher.loop_stop()


def receive_only(port: int, count: int) -> Result:
    """Take messages by paho and acknowledge each at once: what no intake built on paho can beat."""
    options = ReceiverOptions(port=port, client_id=CLIENT)
    client = make_client(mqtt.Client, options, CLIENT, keep_session=True, manual_ack=True)
    done = threading.Event()
    seen = 0

    def on_message(client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        client.ack(message.mid, message.qos)
        seen += 1
        if seen == count:
            done.set()

    client.on_message = on_message
    client.connect(**options.session_arguments())
    client.loop_start()
    while not seen:
        time.sleep(0.001)
    began, used, first = time.perf_counter(), time.process_time(), seen
    assert done.wait(1200)
    result = Result(count - first, time.perf_counter() - began, time.process_time() - used)
    client.disconnect()
    client.loop_stop()
    return result


def ours(port: int, count: int, folder: Path, influx: str) -> Result:
    """Take messages by everything that `wildpost ingest` does with one."""
    from wildpost.server.assembly import run_server
    from wildpost.server.stores import StoreOptions
    from wildpost.settings.server import ServerSettings

    store = StoreOptions()
    if influx:
        url, _, database = influx.rpartition("/")
        store = msgspec.convert(influx_store(url, database), StoreOptions)
    settings = ServerSettings(broker=ReceiverOptions(port=port, client_id=CLIENT), store=store)
    folder.mkdir()
    with run_server(settings, folder, folder, primary=False) as open_, reduced_garbage_collection():
        while not (first := open_.state().taken.received):
            time.sleep(0.001)
        began, used = time.perf_counter(), time.process_time()
        while open_.state().taken.received < count:
            time.sleep(0.005)
        return Result(count - first, time.perf_counter() - began, time.process_time() - used)


def influx_store(url: str, database: str) -> dict[str, object]:
    """Write as 1.x takes it, with nothing between, as Node-RED does."""
    return {"kind": "influxdb", "influxdb": {"url": url, "database": database, "write_path": "v1"}}


@contextmanager
def broker(folder: Path) -> Iterator[Mosquitto]:
    """Run a broker that keeps as much as it takes; it saves at its end alone, so that only receiving is measured."""
    started = Mosquitto(
        mosquitto_program(), folder, "allow_anonymous true\nautosave_on_changes false\nautosave_interval 3600\n"
    )
    try:
        yield started
    finally:
        started.kill()


def one(what: str, count: int, detections: int, influx: Influx | None) -> Result:
    """Lay up messages for one contestant and time it in a process of its own."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        lay_up(running.port, {CLIENT: [subscription("wildpost")]}, events(count, detections))
        where = f"{influx.direct_url}/{influx.new_database()}" if influx and what == "influxdb" else ""
        command = [
            sys.executable,
            "-m",
            "bench.ingest",
            "--contestant",
            what,
            str(running.port),
            str(count),
            name,
            where,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


def shared(count: int, workers: int, influx: Influx) -> float:
    """Time workers that share what waits for them, from when all of them are there; gives messages a second."""
    from wildpost.server.ingest_workers import Workers
    from wildpost.settings.server import ServerSettings

    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        shares = [SharedSubscription("bench", hears_status=number == 1) for number in range(1, workers + 1)]
        sessions = {f"{CLIENT}-{at}": share.subscriptions("wildpost") for at, share in enumerate(shares, 1)}
        lay_up(running.port, sessions, events(count, 1))
        settings = msgspec.convert(
            {
                "broker": {"port": running.port, "client_id": CLIENT},
                "ingest": {"group": "bench"},
                "store": influx_store(influx.direct_url, influx.new_database()),
            },
            ServerSettings,
        )
        crew = Workers(settings, Path(name), Path(name), workers, "text")
        crew.start()
        try:
            began = 0.0
            while True:
                crew.supervise()
                taken = crew.received
                if taken and not began and crew.connected:
                    began, first = time.perf_counter(), taken
                if taken >= count:
                    return (count - first) / (time.perf_counter() - began)
                time.sleep(0.02)
        finally:
            crew.stop()


def peer(packages: Path, count: int, influx: Influx) -> tuple[float, int]:
    """Let Node-RED take the same; gives messages a second, and how many it stored."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        # Its session is of MQTT 3.1.1, which it keeps by itself.
        options = ReceiverOptions(port=running.port, client_id=node_red.CLIENT, protocol="3.1.1")
        lay_up(running.port, {node_red.CLIENT: ["wildpost/#"]}, events(count, 1), options)
        return node_red.take(packages, Path(name) / "node-red", running.port, influx, count)


def main() -> None:
    """Run all contestants in turn, and compare."""
    arguments = _arguments()
    if arguments.contestant:
        what, port, count, folder, *where = arguments.contestant
        result = (
            receive_only(int(port), int(count))
            if what == "paho"
            else ours(int(port), int(count), Path(folder) / what, where[0] if where else "")
        )
        print(msgspec.json.encode(result).decode())
        return
    count, rounds = (1_000, 1) if arguments.quick else (arguments.messages, arguments.rounds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = programs()
        os.environ["GOGC"] = str(arguments.gogc)
        influx = None if isinstance(found, str) else Influx(*found, folder / "influx")
        if influx:
            stack.callback(influx.stop)
        packages, why = arguments.node_red or folder / "npm", str(found)
        if influx:
            why = "" if (packages / "node_modules").is_dir() else node_red.install(packages)
        _compare(count, rounds, influx, packages, why)


def _compare(count: int, rounds: int, influx: Influx | None, packages: Path, why_no_peer: str) -> None:
    detections = {"paho": 1, "duckdb": 1, "duckdb, 10 detections": 10}
    if influx:
        detections |= {"influxdb": 1, "influxdb, 10 detections": 10}
    runs: dict[str, list[Result]] = {name: [] for name in detections}
    workers: dict[int, list[float]] = {1: [], 2: []} if influx else {}
    peers: list[tuple[float, int]] = []
    for _ in range(rounds):
        for name, of_each in detections.items():
            runs[name].append(one(name.partition(",")[0], count, of_each, influx))
        for number, rates in workers.items():
            assert influx
            rates.append(shared(3 * count, number, influx))  # the first does a good part before the second is there
        if influx and not why_no_peer:
            peers.append(peer(packages, count, influx))
    rows: list[list[str]] = []
    ratios: dict[str, float] = {}
    raw: dict[str, object] = {"messages": count, "rounds": rounds, "gogc": os.environ["GOGC"]}
    median: dict[str, float] = {}
    for name, results in runs.items():
        rate = median[name] = statistics.median(run.rate for run in results)
        cpu_us = statistics.median(run.processor_seconds / run.messages for run in results) * 1e6
        rows.append([name, f"{rate:,.0f}", f"{rate * detections[name]:,.0f}", f"{cpu_us:.0f}"])
        raw[name] = {"messages_s": round(rate), "processor_us": round(cpu_us)}
        pairs = [run.rate / bare.rate for bare, run in zip(runs["paho"], results, strict=True)]
        if name in ("duckdb", "influxdb"):
            ratios[f"{name} / paho"] = statistics.median(pairs)
    for number, rates in workers.items():
        rows.append([f"influxdb, --workers {number}", f"{statistics.median(rates):,.0f}", "", ""])
        raw[f"workers {number}"] = round(statistics.median(rates))
    if workers:
        ratios["two workers / one"] = statistics.median(two / of for of, two in zip(*workers.values(), strict=True))
    if peers:
        rate = statistics.median(of for of, _ in peers)
        least = min(stored for _, stored in peers)
        rows.append([f"Node-RED, InfluxDB ({least} of {count} stored)", f"{rate:,.0f}", "", ""])
        raw["node_red"] = {"messages_s": round(rate), "stored": least}
        for name in ("duckdb", "influxdb"):
            ratios[f"{name} / Node-RED"] = median[name] / rate
    else:
        raw["node_red"] = f"not run: {why_no_peer}"
        rows.append(["Node-RED: not run", "", "", ""])
    heading = ["contestant", "durable messages/s", "detections/s", "processor us/message"]
    report("ingest", heading, rows, ratios, raw)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 messages, one round")
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--node-red", type=Path, help="a folder where npm has installed it")
    parser.add_argument("--gogc", type=int, default=400, help="how seldom InfluxDB collects its garbage; 400")
    parser.add_argument("--contestant", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
