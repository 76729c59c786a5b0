"""What every message source does, run against each of them: a real broker, a real folder, real databases."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from casebook.casebook import Casebook
from contract import Event, encode, new_event_id, topic_of
from contract.errors import StoreUnavailable
from contract.examples import EVENT, MEDIA_CONTENT
from contract.mqtt import stop_network_thread
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.bundle.exporter import BundleExporter, BundleOptions, ExportReport
from ingest.intake import BatchResult, Intake, StoredBatch
from ingest.media.folder import FolderMedia
from ingest.receive.batch import Batch
from ingest.receive.bundle.source import BundleSource
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.pipeline import ReceivePipeline
from ingest.receive.port import MessageSource
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from tests.conftest import Mosquitto
from tests.eventually import eventually

Message = tuple[str, bytes]
EVENT_TOPIC = topic_of("wildpost", EVENT.station, "event")


class Databases:
    """Real stores, which a test may make refuse batches."""

    def __init__(self, folder: Path) -> None:
        self.store_ = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{folder}/casebook.sqlite")
        self.media = FolderMedia(folder / "media")
        self._intake = Intake(self.store_, self.casebook, self.media, RuleSet(RulesOptions(), ()))
        self.refusing = False
        self.batches: list[int] = []

    max_concurrent_batches = 1

    def store(self, batch: Batch) -> StoredBatch:
        if self.refusing:
            raise StoreUnavailable("the test refuses")
        return self._intake.store(batch)

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        self.batches.append(batch.received)
        return self._intake.conclude(batch, stored)

    def events(self) -> list[str]:
        return sorted(event.event_id for event in self.store_.events(EventQuery(limit=10_000)))

    def close(self) -> None:
        self.store_.close()
        self.casebook.close()


class Sender(Protocol):
    """The station's side of a source, and what it knows of what was confirmed."""

    def send(self, messages: Sequence[Message]) -> None: ...
    def source(self, databases: Databases) -> MessageSource: ...
    def unconfirmed(self) -> int: ...
    def cut(self) -> None: ...
    def restore(self) -> None: ...


class BrokerSender:
    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self._receiver: Receiver | None = None

    def send(self, messages: Sequence[Message]) -> None:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(200)
        client.connect("127.0.0.1", self._broker.port)
        client.loop_start()
        for info in [client.publish(topic, payload, qos=1) for topic, payload in messages]:
            info.wait_for_publish(20)
        client.disconnect()
        stop_network_thread(client)

    def source(self, databases: Databases) -> MessageSource:
        self._receiver = Receiver(ReceiverOptions(port=self._broker.port, receive_maximum=50))
        return self._receiver

    def unconfirmed(self) -> int:
        assert self._receiver is not None
        return self._receiver.in_flight

    def cut(self) -> None:
        self._broker.stop()

    def restore(self) -> None:
        self._broker.start()


class StickSender:
    """Exports to a stick, and carries bundles to the server's folder and receipts back."""

    def __init__(self, folder: Path) -> None:
        self._stick = folder / "stick"
        self._stick.mkdir()
        self._imports = folder / "imports"
        self._outbox = Outbox(folder / "outbox.sqlite")

    def send(self, messages: Sequence[Message]) -> None:
        self._outbox.commit([OutboxMessage(topic, payload) for topic, payload in messages])
        self._imports.mkdir(exist_ok=True)
        for path in self._export().written:
            path.rename(self._imports / path.name)

    def source(self, databases: Databases) -> MessageSource:
        return BundleSource(self._imports, "wildpost", databases.casebook.quarantine, every_s=0.05, settle_s=0)

    def unconfirmed(self) -> int:
        for path in self._imports.glob("*.receipt.json"):
            path.rename(self._stick / path.name)
        for path in self._export().written:  # what is not confirmed, again
            path.rename(self._imports / path.name)
        return len(self._outbox)

    def _export(self) -> ExportReport:
        return BundleExporter(BundleOptions(folder=str(self._stick)), EVENT.station, self._outbox).export()

    def cut(self) -> None:
        self._imports.mkdir(exist_ok=True)
        self._imports.rename(self._imports.with_name("away"))
        self._imports.write_text("something else is in its place")

    def restore(self) -> None:
        self._imports.unlink()
        self._imports.with_name("away").rename(self._imports)


@pytest.fixture(params=["mqtt", "bundle"])
def sender(request: pytest.FixtureRequest, tmp_path: Path) -> Sender:
    if request.param == "mqtt":
        return BrokerSender(request.getfixturevalue("mosquitto"))
    return StickSender(tmp_path)


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    opened = Databases(tmp_path)
    yield opened
    opened.close()


Start = Callable[[], ReceivePipeline]


@pytest.fixture
def start(sender: Sender, databases: Databases) -> Iterator[Start]:
    started: list[ReceivePipeline] = []

    def begin() -> ReceivePipeline:
        options = ReceiverOptions(batch_messages=20, receive_maximum=50, retry_min_s=0.02, retry_max_s=0.05)
        started.append(ReceivePipeline(options, databases, [sender.source(databases)]))
        started[-1].start()
        return started[-1]

    yield begin
    for pipeline in started:
        pipeline.stop()


def events(count: int) -> list[Event]:
    return [msgspec.structs.replace(EVENT, event_id=new_event_id(), media=()) for _ in range(count)]


def messages(made: Sequence[Event]) -> list[Message]:
    return [(EVENT_TOPIC, encode(event)) for event in made]


def ids(made: Sequence[Event]) -> list[str]:
    return sorted(event.event_id for event in made)


def test_every_message_becomes_durable_and_is_confirmed_then(
    sender: Sender, start: Start, databases: Databases
) -> None:
    pipeline = start()
    eventually(lambda: pipeline.connected)
    made = events(300)
    sender.send(messages(made))
    eventually(lambda: databases.events() == ids(made))
    eventually(lambda: sender.unconfirmed() == 0)
    eventually(lambda: pipeline.idle_s > 0)
    assert pipeline.problem == ""
    assert pipeline.totals.stored == 300


def test_nothing_is_confirmed_while_the_databases_refuse(sender: Sender, start: Start, databases: Databases) -> None:
    databases.refusing = True
    pipeline = start()
    made = events(200)
    sender.send(messages(made))
    eventually(lambda: "the test refuses" in pipeline.problem)
    time.sleep(0.3)
    assert sender.unconfirmed() > 0
    assert databases.events() == []
    databases.refusing = False
    eventually(lambda: databases.events() == ids(made))
    eventually(lambda: sender.unconfirmed() == 0)
    eventually(lambda: pipeline.problem == "")


def test_what_was_not_durable_when_the_server_stopped_comes_again(
    sender: Sender, start: Start, databases: Databases
) -> None:
    databases.refusing = True
    first = start()
    made = events(100)
    sender.send(messages(made))
    eventually(lambda: "the test refuses" in first.problem)
    first.stop()
    databases.refusing = False
    start()
    eventually(lambda: databases.events() == ids(made))
    eventually(lambda: sender.unconfirmed() == 0)


def test_messages_sent_twice_are_stored_once(sender: Sender, start: Start, databases: Databases) -> None:
    pipeline = start()
    made = events(10)
    sender.send(messages(made))
    eventually(lambda: sender.unconfirmed() == 0 and len(databases.events()) == 10)
    sender.send(messages(made))
    eventually(lambda: pipeline.totals.received >= 20)
    eventually(lambda: sender.unconfirmed() == 0)
    assert databases.events() == ids(made)
    assert pipeline.totals.stored == 10
    assert pipeline.totals.repeated >= 10


def test_media_are_kept_and_malformed_messages_go_to_quarantine(
    sender: Sender, start: Start, databases: Databases
) -> None:
    start()
    (event,) = events(1)
    media = (topic_of("wildpost", MEDIA_CONTENT.station, "media"), encode(MEDIA_CONTENT))
    sender.send([media, (EVENT_TOPIC, b'{"schema": "1.0", '), *messages([event])])
    eventually(lambda: databases.events() == ids([event]))
    eventually(lambda: sender.unconfirmed() == 0)
    assert [one.reason for one in databases.casebook.quarantined()] == ["syntax"]
    with databases.media.open(MEDIA_CONTENT.sha256) as kept:
        assert kept.read() == MEDIA_CONTENT.data


def test_while_the_pipeline_is_paused_nothing_is_stored(sender: Sender, start: Start, databases: Databases) -> None:
    pipeline = start()
    made = events(60)
    with pipeline.paused(10):
        sender.send(messages(made))
        time.sleep(0.5)
        assert databases.events() == []
    eventually(lambda: databases.events() == ids(made))
    assert max(databases.batches) <= 20


def test_a_lost_connection_is_named_and_what_was_sent_arrives_when_it_is_back(
    sender: Sender, start: Start, databases: Databases
) -> None:
    pipeline = start()
    eventually(lambda: pipeline.connected)
    sender.cut()
    eventually(lambda: pipeline.problem and not pipeline.connected)
    sender.restore()
    made = events(5)
    sender.send(messages(made))
    eventually(lambda: databases.events() == ids(made))
    eventually(lambda: pipeline.connected and pipeline.problem == "")


def test_a_source_that_was_never_started_can_be_stopped(sender: Sender, databases: Databases) -> None:
    sender.source(databases).stop()
