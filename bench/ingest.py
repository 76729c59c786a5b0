"""Durable messages per second: Wildpost on DuckDB and on InfluxDB, compared with bare paho and Node-RED.

`python -m bench.ingest [--quick] [--messages N] [--rounds N] [--node-red FOLDER] [--gogc N]`. Each contestant has the
same messages queued in its session at a real Mosquitto and is timed from its first durable messages to its last, so
that its start-up is not counted. Bare paho acknowledges each message and does nothing else: the limit of any intake
built on paho. npm installs Node-RED into a temporary folder (or FOLDER, which is kept); it acknowledges before it
writes, and is timed by its points in InfluxDB. InfluxDB's garbage collector is set as docs/how-to/influxdb.md advises,
for all contestants; `--gogc 100` is the default. CPU time is reported too, since other programs affect it less.
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
    """Result of one run."""

    messages: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds


def events(count: int, detections: int) -> list[tuple[str, bytes]]:
    """Return messages of captures that differ in id, station and time."""
    detection = EVENT.detections[-1]
    messages = []
    start = datetime.now(UTC) - timedelta(hours=12)
    for number in range(count):
        event = msgspec.structs.replace(
            EVENT,
            event_id=new_event_id(),
            station=f"station-{number % STATIONS:02}",
            captured_at=start + number * timedelta(milliseconds=40),
            detections=tuple(msgspec.structs.replace(detection, ordinal=n) for n in range(detections)),
        )
        messages.append(message_of(event))
    return messages


def message_of(event: Event) -> tuple[str, bytes]:
    """Return the topic and the payload of an event."""
    return topic_of("wildpost", event.station, "event"), encode(event)


def queue_messages(
    port: int,
    sessions: Mapping[str, Sequence[str]],
    messages: Sequence[tuple[str, bytes]],
    session_options: ReceiverOptions | None = None,
) -> None:
    """Create persistent sessions at the broker, disconnect, and publish messages, which the broker queues in them."""
    for client_id, topics in sessions.items():
        options = session_options or ReceiverOptions(port=port, client_id=client_id)
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
    """Receive messages with paho and acknowledge each immediately: the upper limit for any intake built on paho."""
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


def run_wildpost(port: int, count: int, folder: Path, influx: str) -> Result:
    """Receive and store messages with the server code of `wildpost ingest`."""
    from wildpost.server.assembly import run_server
    from wildpost.server.stores import StoreOptions
    from wildpost.settings.server import ServerSettings

    store = StoreOptions()
    if influx:
        url, _, database = influx.rpartition("/")
        store = msgspec.convert(influx_store(url, database), StoreOptions)
    settings = ServerSettings(broker=ReceiverOptions(port=port, client_id=CLIENT), store=store)
    folder.mkdir()
    with run_server(settings, folder, folder, watches=False) as open_, reduced_garbage_collection():
        while not (first := open_.state().taken.received):
            time.sleep(0.001)
        began, used = time.perf_counter(), time.process_time()
        while open_.state().taken.received < count:
            time.sleep(0.005)
        return Result(count - first, time.perf_counter() - began, time.process_time() - used)


def influx_store(url: str, database: str) -> dict[str, object]:
    """Return store options that write directly to the API of InfluxDB 1.x, as Node-RED does."""
    return {"kind": "influxdb", "influxdb": {"url": url, "database": database, "write_path": "v1"}}


@contextmanager
def broker(folder: Path) -> Iterator[Mosquitto]:
    """Run a broker that does not save its state meanwhile, so that only receiving is measured."""
    started = Mosquitto(
        mosquitto_program(), folder, "allow_anonymous true\nautosave_on_changes false\nautosave_interval 3600\n"
    )
    try:
        yield started
    finally:
        started.kill()


def run_contestant(contestant: str, count: int, detections: int, influx: Influx | None) -> Result:
    """Queue messages for one contestant and time it in a separate process."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        queue_messages(running.port, {CLIENT: [subscription("wildpost")]}, events(count, detections))
        url = f"{influx.direct_url}/{influx.new_database()}" if influx and contestant == "influxdb" else ""
        command = [sys.executable, "-m", "bench.ingest", "--contestant", contestant]
        command += [str(running.port), str(count), name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


def run_workers(count: int, workers: int, influx: Influx) -> float:
    """Return the messages per second of several workers, timed from when all of them are connected."""
    from wildpost.server.ingest_workers import Workers
    from wildpost.settings.server import ServerSettings

    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        shares = [SharedSubscription("bench", hears_status=number == 1) for number in range(1, workers + 1)]
        sessions = {f"{CLIENT}-{at}": share.subscriptions("wildpost") for at, share in enumerate(shares, 1)}
        queue_messages(running.port, sessions, events(count, 1))
        settings = msgspec.convert(
            {
                "broker": {"port": running.port, "client_id": CLIENT},
                "ingest": {"group": "bench"},
                "store": influx_store(influx.direct_url, influx.new_database()),
            },
            ServerSettings,
        )
        pool = Workers(settings, Path(name), Path(name), workers, "text")
        pool.start()
        try:
            began = 0.0
            while True:
                pool.turn()
                received = pool.received
                if received and not began and pool.connected:
                    began, first = time.perf_counter(), received
                if received >= count:
                    return (count - first) / (time.perf_counter() - began)
                time.sleep(0.02)
        finally:
            pool.stop()


def run_node_red(packages: Path, count: int, influx: Influx) -> tuple[float, int]:
    """Run Node-RED on the same messages; return its messages per second and the number it stored."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        # Node-RED connects with MQTT 3.1.1, so its session is created with it too.
        options = ReceiverOptions(port=running.port, client_id=node_red.CLIENT, protocol="3.1.1")
        queue_messages(running.port, {node_red.CLIENT: ["wildpost/#"]}, events(count, 1), options)
        return node_red.run(packages, Path(name) / "node-red", running.port, influx, count)


def main() -> None:
    """Run all contestants by turns and print the comparison."""
    arguments = _arguments()
    if arguments.contestant:
        contestant, port, count, folder, *url = arguments.contestant
        result = (
            receive_only(int(port), int(count))
            if contestant == "paho"
            else run_wildpost(int(port), int(count), Path(folder) / contestant, url[0] if url else "")
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
            runs[name].append(run_contestant(name.partition(",")[0], count, of_each, influx))
        for number, rates in workers.items():
            assert influx
            rates.append(run_workers(3 * count, number, influx))  # the first starts before the second is connected
        if influx and not why_no_peer:
            peers.append(run_node_red(packages, count, influx))
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
    parser.add_argument("--node-red", type=Path, help="a folder in which npm has installed it, or will")
    parser.add_argument("--gogc", type=int, default=400, help="InfluxDB's GOGC (default: 400)")
    parser.add_argument("--contestant", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
