"""Contestants, the programs that `bench.ingest` compares: a plain paho client, Wildpost's ingest and Node-RED.

`python -m bench.ingest_contestants paho|duckdb|influxdb PORT MESSAGES FOLDER [INFLUXDB_URL/DATABASE]` runs one
contestant on the messages that are queued for it, and prints its result as JSON.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench import node_red
from bench.breaking import mosquitto_program
from bench.ratios import ratio
from contract import Event, encode, new_event_id, subscription, topic_of
from contract.examples import EVENT
from contract.mqtt import make_client, stop_network_thread
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from tests.conftest import Mosquitto
from tests.influx_server import Influx
from wildpost.server.gc_tuning import reduced_garbage_collection

CLIENT = "bench"
FLEET = 400  # stations: each sends less than its budget, so that nothing is held back
TIMEOUT_S = 600.0  # of one contestant; on a busy machine what was measured until then is the result


class Result(msgspec.Struct, frozen=True):
    """Result of one run, measured from the first durable messages to the last one.

    Attributes:
        messages: Messages that became durable after the first ones; 0 if all were there at the first look.
        seconds: Duration.
        processor_seconds: CPU time of the contestant's process.
    """

    messages: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float | None:
        """Messages per second; None if nothing arrived after the first messages."""
        return ratio(self.messages, self.seconds) or None

    @property
    def processor_us(self) -> float | None:
        """CPU time per message in microseconds; None if nothing arrived after the first messages."""
        return ratio(self.processor_seconds * 1e6, self.messages)


def measure_progress(
    received: Callable[[], int],
    count: int,
    first_interval_s: float = 0.001,
    interval_s: float = 0.005,
    wait: Callable[[float], object] = time.sleep,
    timeout_s: float = TIMEOUT_S,
) -> Result:
    """Poll a contestant's number of durable messages until it reaches ``count`` or the time limit has passed.

    Args:
        received: Returns the number of durable messages so far.
        count: Number of messages queued.
        first_interval_s: Time between two polls until the first message.
        interval_s: Time between two polls after it.
        wait: Waits for at most an interval.
        timeout_s: Time limit of the whole run.

    Raises:
        TimeoutError: no message was received.
    """
    until = time.perf_counter() + timeout_s
    while not (first := received()):
        if time.perf_counter() > until:
            raise TimeoutError(f"no message was received within {timeout_s:g} s")
        time.sleep(first_interval_s)
    began, used = time.perf_counter(), time.process_time()
    while (last := received()) < count and time.perf_counter() < until:
        wait(interval_s)
    return Result(last - first, time.perf_counter() - began, time.process_time() - used)


@dataclass(frozen=True)
class Load:
    """What the messages of a run are.

    Attributes:
        detections: Detections of each capture.
        stations: Number of stations; of few stations, most messages are over the budget and held back at first.
    """

    detections: int = 1
    stations: int = FLEET


def events(count: int, load: Load) -> list[tuple[str, bytes]]:
    """Return messages of captures that differ in id, station and time."""
    detection = EVENT.detections[-1]
    messages = []
    start = datetime.now(UTC) - timedelta(hours=12)
    for number in range(count):
        event = msgspec.structs.replace(
            EVENT,
            event_id=new_event_id(),
            station=f"station-{number % load.stations:03}",
            captured_at=start + number * timedelta(milliseconds=40),
            detections=tuple(msgspec.structs.replace(detection, ordinal=n) for n in range(load.detections)),
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
    """Create persistent sessions at the broker, disconnect, and publish messages, so that the broker queues them."""
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
        stop_network_thread(client)
    publisher = mqtt.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(500)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    sent = [publisher.publish(topic, payload, qos=1) for topic, payload in messages]
    for info in sent:
        info.wait_for_publish(600)
        assert info.is_published()
    publisher.disconnect()
    stop_network_thread(publisher)


def receive_only(port: int, count: int) -> Result:
    """Receive messages with paho and acknowledge each immediately; no receiver built on paho can be faster."""
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
    result = measure_progress(lambda: seen, count, interval_s=1, wait=done.wait)  # no polling beside it
    client.disconnect()
    stop_network_thread(client)
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
    with run_server(settings, folder, folder, primary=False) as open_, reduced_garbage_collection():
        return measure_progress(lambda: open_.ingest.taken.received, count)


def influx_store(url: str, database: str) -> dict[str, object]:
    """Return store options that write directly to the API of InfluxDB 1.x, as Node-RED does."""
    return {"kind": "influxdb", "influxdb": {"url": url, "database": database, "write_path": "v1"}}


@contextmanager
def broker(folder: Path) -> Iterator[Mosquitto]:
    """Run a broker that does not save its state to disk during the run, so that only receiving is measured."""
    started = Mosquitto(
        mosquitto_program(), folder, "allow_anonymous true\nautosave_on_changes false\nautosave_interval 3600\n"
    )
    try:
        yield started
    finally:
        started.kill()


def run_contestant(contestant: str, count: int, load: Load, influx: Influx | None) -> Result:
    """Queue messages for one contestant, and measure its run in a separate process."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        queue_messages(running.port, {CLIENT: [subscription("wildpost")]}, events(count, load))
        url = f"{influx.direct_url}/{influx.new_database()}" if influx and contestant == "influxdb" else ""
        command = [sys.executable, "-m", "bench.ingest_contestants", contestant]
        command += [str(running.port), str(count), name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * TIMEOUT_S)
        if done.returncode:
            raise RuntimeError(f"{contestant} ended with {done.returncode}: {done.stderr[-2000:]}")
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


def run_workers(count: int, workers: int, influx: Influx) -> float | None:
    """Return the messages per second of several ingest workers, timed from when all of them are connected.

    None if they had received all messages by then.
    """
    from wildpost.server.ingest_workers import Workers
    from wildpost.settings.server import ServerSettings

    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        shares = [SharedSubscription("bench", hears_status=number == 1) for number in range(1, workers + 1)]
        sessions = {f"{CLIENT}-{at}": share.subscriptions("wildpost") for at, share in enumerate(shares, 1)}
        queue_messages(running.port, sessions, events(count, Load()))
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

        connected = False

        def received() -> int:
            nonlocal connected
            pool.supervise()
            connected = connected or pool.connected
            return pool.received if connected else 0

        try:
            return measure_progress(received, count, first_interval_s=0.02, interval_s=0.02).rate
        finally:
            pool.stop()


def run_node_red(packages: Path, count: int, influx: Influx) -> tuple[float | None, int]:
    """Run Node-RED on ``count`` queued messages; return messages per second, if measured, and the number stored."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as running:
        # Node-RED connects with MQTT 3.1.1, so its session is created with it too.
        options = ReceiverOptions(port=running.port, client_id=node_red.CLIENT, protocol="3.1.1")
        queue_messages(running.port, {node_red.CLIENT: ["wildpost/#"]}, events(count, Load()), options)
        return node_red.run(packages, Path(name) / "node-red", running.port, influx, count)


def main() -> None:
    """Run one contestant and print its result."""
    contestant, port, count, folder, *url = sys.argv[1:]
    result = (
        receive_only(int(port), int(count))
        if contestant == "paho"
        else run_wildpost(int(port), int(count), Path(folder) / contestant, url[0] if url else "")
    )
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main()
