"""Sends messages that hypothesis generates to a real `wildpost ingest`, with a valid capture after every tenth."""

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.hostile_messages import Hostile, hostile_messages
from contract import encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.mqtt import stop_network_thread
from tests.conftest import free_port

# Rules that read every field of a capture, so that no hostile value is skipped.
RULES = """
[incidents.corroboration]
assumed_clock_error_s = 0.5

[[rules.rule]]
name = "everything"
observation_types = ["animal", "human", "vehicle", "unknown", "unclassified"]

[[rules.rule]]
name = "by-night"
observation_types = ["animal", "human", "vehicle", "unknown", "unclassified"]
hours = [{ start = "sunset-00:30", end = "sunrise" }]
seasons = [{ start = "03-01", end = "08-31" }]

[[rules.station]]
name = "station-silent"
state = "silent"
after_minutes = 60

[[rules.station]]
name = "station-blind"
state = "blind"
after_minutes = 120
gaps = ["blind", "deaf", "broken", "clock", "disk"]
"""
HONEST_EVERY = 10
BATCH_SIZE = 500
TIMEOUT_S = 120
COUNTED = ("records_stored", "records_repeated", "media", "station_answers", "messages_quarantined")


@dataclass
class Outcome:
    """Counts and measurements of one run with hostile messages.

    Attributes:
        sent: Number of hostile messages by kind.
        honest: Ids of the valid captures sent between them.
        stored: Ids of all captures in the store.
        received: Received messages by the server's metrics.
        kept: Stored, repeated and quarantined messages by the server's metrics.
        reasons: Quarantined messages by reason.
        in_quarantine: Rows in the quarantine table.
        memory_mb: Memory of all the server's processes: before the first message, then after each tenth of them.
        failures: Exit code and log if the server crashed or logged an exception; else empty.
        seconds: Time from the first message until the last one is durable.
    """

    sent: Counter[str] = field(default_factory=Counter)
    honest: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    received: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    in_quarantine: int = 0
    memory_mb: list[float] = field(default_factory=list)
    failures: str = ""
    seconds: float = 0.0

    @property
    def unaccounted(self) -> int:
        """Number of received messages that the server counted as neither stored, repeated nor quarantined."""
        return self.received - sum(self.kept.values())

    @property
    def missing(self) -> int:
        """Number of valid captures that are missing from the store."""
        return len(self.honest - self.stored)


class Server:
    """A `wildpost ingest` process that receives the hostile messages."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "server.toml"
        settings.write_text(f"[ingest]\nport = {self.port}\n[broker]\nport = {broker_port}\n{RULES}")
        command = [sys.executable, "-m", "wildpost", "ingest", str(settings), "--data", str(folder)]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until(lambda: self.metrics().get("wildpost_connected") == 1, "the server is connected to the broker")

    def metrics(self) -> dict[str, float]:
        """Read the server's metrics: the value of each label set, and each metric's sum over its label sets."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as answer:
                lines = answer.read().decode().splitlines()
        except urllib.error.URLError:
            return {}
        found: Counter[str] = Counter()
        for line in lines:
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] += float(value)  # type: ignore[assignment]
                if "{" in name:
                    found[name.partition("{")[0]] += float(value)  # type: ignore[assignment]
        return dict(found)

    def memory_mb(self) -> float:
        """Return the resident memory of all processes of the server, in MB."""
        top = psutil.Process(self._process.pid)
        return float(sum(process.memory_info().rss for process in [top, *top.children(recursive=True)])) / 1e6

    def wait_for_received(self, count: int) -> None:
        """Wait until the server has received and stored ``count`` messages."""
        self._wait_until(
            lambda: self.metrics().get("wildpost_messages_received_total", 0) >= count, f"{count} messages are received"
        )

    def stop(self) -> str:
        """Stop the server with SIGTERM; return the exit code and log if it failed, else ""."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(TIMEOUT_S)
        log = self._log.read_text()
        return f"exit code {code}: {log}" if code or "Traceback" in log or "again" in log else ""

    def kill(self) -> None:
        """Kill all processes of the server if it is still running."""
        if self._process.poll() is None:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
            self._process.wait()

    def _wait_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"timeout waiting until {what}; log of the server: {self._log.read_text()}")
            time.sleep(0.05)


class Sender:
    """MQTT publisher that sends in batches, so that neither the broker nor this process buffers all messages."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(200)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def send(self, messages: Sequence[Hostile]) -> None:
        """Publish messages at QoS 1 and wait until the broker has acknowledged all of them."""
        pending = []
        for message in messages:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if message.content_type:
                properties.ContentType = message.content_type
            pending.append(self._client.publish(message.topic, message.payload, qos=1, properties=properties))
        for info in pending:
            info.wait_for_publish(TIMEOUT_S)
            assert info.is_published(), "the broker did not acknowledge a message"

    def close(self) -> None:
        """Disconnect from the broker."""
        self._client.disconnect()
        stop_network_thread(self._client)


def honest_between(messages: Iterator[Hostile], honest: set[str]) -> Iterator[Hostile]:
    """Yield hostile messages, and after every tenth a valid one, whose event id is added to the set ``honest``."""
    for number, message in enumerate(messages, 1):
        yield message
        if number % HONEST_EVERY == 0:
            event = msgspec.structs.replace(EVENT, event_id=new_event_id())
            honest.add(event.event_id)
            yield Hostile("", topic_of("wildpost", event.station, "event"), encode(event))


def attack(folder: Path, broker_port: int, count: int, seed: int) -> Outcome:
    """Send ``count`` hostile messages, with valid captures between them, to a new server; return the outcome."""
    outcome = Outcome()
    server = Server(folder, broker_port)
    try:
        sender = Sender(broker_port)
        outcome.memory_mb.append(server.memory_mb())
        began = time.monotonic()
        batch: list[Hostile] = []
        sent, tenth = 0, count * (1 + 1 / HONEST_EVERY) / 10

        def send() -> None:
            nonlocal sent
            sender.send(batch)
            sent += len(batch)
            batch.clear()
            server.wait_for_received(sent)
            if len(outcome.memory_mb) < 10 and sent >= tenth * len(outcome.memory_mb):
                outcome.memory_mb.append(server.memory_mb())

        for message in honest_between(hostile_messages(count, seed), outcome.honest):
            if message.sort:
                outcome.sent[message.sort] += 1
            batch.append(message)
            if len(batch) >= min(BATCH_SIZE, int(tenth)):
                send()
        send()
        outcome.memory_mb.append(server.memory_mb())
        outcome.seconds = time.monotonic() - began
        sender.close()
        metrics = server.metrics()
        outcome.received = int(metrics["wildpost_messages_received_total"])
        outcome.kept = {name: int(metrics.get(f"wildpost_{name}_total", 0)) for name in COUNTED}
        outcome.reasons = {
            found[1]: int(value)
            for name, value in metrics.items()
            if (found := re.match(r'wildpost_messages_quarantined_total\{.*reason="(\w+)"', name))
        }
        outcome.failures = server.stop()
    finally:
        server.kill()
    _read_stores(folder, outcome)
    return outcome


def _read_stores(folder: Path, outcome: Outcome) -> None:
    from casebook.casebook import Casebook
    from ingest.store.duckdb.store import DuckDbStore
    from ingest.store.port import EventQuery

    casebook = Casebook(f"sqlite:///{folder}/casebook.sqlite")
    outcome.in_quarantine = casebook.totals().quarantined
    casebook.close()
    store = DuckDbStore(folder / "detections.duckdb")
    outcome.stored = {event.event_id for event in store.events(EventQuery(limit=1_000_000))}
    store.close()
