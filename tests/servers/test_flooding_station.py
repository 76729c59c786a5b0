"""A station that floods a real broker delays no other station, and nothing valid is lost."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import CollectorRegistry

from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.mqtt import stop_network_thread
from ingest.budgets.options import BudgetOptions
from ingest.budgets.tally import BudgetTally, StationTally
from ingest.intake import BatchResult, StoredBatch
from ingest.receive.batch import Batch
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.pipeline import ReceivePipeline
from ingest.receive.spool.live_copies import LiveCopies
from ingest.receive.spool.source import SpoolSource
from ingest.store.port import WriteResult
from tests.conftest import Mosquitto
from tests.eventually import eventually

FLOOD = 4_000
BUDGET = BudgetOptions(messages_per_hour=36_000)  # 100 at once


class Sink:
    """Records the order in which events are stored, once a test lets it."""

    max_concurrent_batches = 1

    def __init__(self) -> None:
        self.open = threading.Event()
        self.stored: list[str] = []
        self.quarantined = 0

    def store(self, batch: Batch) -> StoredBatch:
        self.open.wait(60)
        return StoredBatch(len(batch.unusable), WriteResult(new=len(batch.records), repeated=0))

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        self.stored += [item.record.event_id for item in batch.records if isinstance(item.record, Event)]
        self.quarantined += len(batch.unusable)
        return BatchResult(received=batch.received)

    def has(self, events: Sequence[Event]) -> bool:
        return {one.event_id for one in events} <= set(self.stored)


class Server:
    """The receiving part of a server, with a spool in a folder."""

    def __init__(self, broker: Mosquitto, folder: Path, urgent: bool = False, budget: BudgetOptions = BUDGET) -> None:
        self.sink = Sink()
        self.tally = BudgetTally(CollectorRegistry())
        self.spool = SpoolSource(folder, budget, self.tally, LiveCopies(10, lambda event: urgent))
        options = ReceiverOptions(port=broker.port, batch_messages=50)
        self.receiver = Receiver(options, divert=self.spool.divert)
        self.pipeline = ReceivePipeline(options, self.sink, [self.spool, self.receiver])
        self.pipeline.start()
        eventually(lambda: self.receiver.connected, "the connection")


@pytest.fixture
def broker(mosquitto: Mosquitto) -> Mosquitto:
    mosquitto.save_seldom()
    return mosquitto


@pytest.fixture
def server(broker: Mosquitto, tmp_path: Path) -> Iterator[Server]:
    running = Server(broker, tmp_path / "spool" / "server")
    yield running
    running.sink.open.set()
    running.pipeline.stop()


def event(station: str) -> Event:
    return msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=datetime.now(UTC))


def publish(broker: Mosquitto, *messages: tuple[str, bytes]) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for info in [client.publish(topic, payload, qos=1) for topic, payload in messages]:
        info.wait_for_publish(60)
    client.disconnect()
    stop_network_thread(client)


def publish_events(broker: Mosquitto, events: Sequence[Event]) -> None:
    publish(broker, *((topic_of("wildpost", one.station, "event"), encode(one)) for one in events))


def flood(broker: Mosquitto, server: Server) -> list[Event]:
    """Two honest stations send, then one floods; return its events once the server has read them all."""
    publish_events(broker, [event("honest-1"), event("honest-2")])
    messages = [event("stolen") for _ in range(FLOOD)]
    publish_events(broker, messages)
    # Acknowledged from the spool, although the databases do not answer: the broker's queue is free for the others.
    eventually(lambda: server.receiver.in_flight < 500 and server.spool.all_written, "the flood to be on disk")
    return messages


def test_an_honest_event_is_stored_before_the_flood_that_was_sent_earlier(broker: Mosquitto, server: Server) -> None:
    sent = flood(broker, server)
    late = event("honest-1")
    waiting = server.receiver.in_flight
    publish_events(broker, [late])
    eventually(lambda: server.receiver.in_flight > waiting)
    server.sink.open.set()
    eventually(lambda: server.sink.has([late]), "the honest event")
    assert server.sink.stored.index(late.event_id) < 500
    eventually(lambda: server.sink.has(sent), "the whole flood")
    of_flood = {one.event_id for one in sent}
    assert list(dict.fromkeys(one for one in server.sink.stored if one in of_flood)) == [one.event_id for one in sent]
    assert server.tally.take()["stolen"].held_back > FLOOD / 2


def test_held_back_messages_survive_a_restart(broker: Mosquitto, tmp_path: Path) -> None:
    first = Server(broker, tmp_path / "spool" / "server")
    sent = flood(broker, first)
    first.pipeline.stop(patience_s=0)
    again = Server(broker, tmp_path / "spool" / "server")
    again.sink.open.set()
    eventually(lambda: again.sink.has(sent), "every event of the flood")
    eventually(lambda: not list((tmp_path / "spool" / "server").iterdir()), "an empty spool")
    again.pipeline.stop()
    first.sink.open.set()


def test_a_live_flagged_capture_overtakes_the_backlog_of_its_own_station(broker: Mosquitto, tmp_path: Path) -> None:
    running = Server(broker, tmp_path / "spool" / "server", urgent=True)
    old = msgspec.structs.replace(EVENT, station="returning", captured_at=datetime(2026, 3, 1, tzinfo=UTC))
    backlog = [msgspec.structs.replace(old, event_id=new_event_id()) for _ in range(FLOOD)]
    shot = event("returning")
    publish_events(broker, [event("honest-1"), event("honest-2"), *backlog, shot])
    eventually(lambda: running.receiver.in_flight < 500 and running.spool.all_written, "the backlog to be on disk")
    running.sink.open.set()
    eventually(lambda: running.sink.has([shot]))
    assert running.sink.stored.index(shot.event_id) < 500
    eventually(lambda: running.sink.has(backlog))
    running.pipeline.stop()


def test_unreadable_messages_over_the_budget_are_counted_and_most_are_dropped_unread(
    broker: Mosquitto, server: Server
) -> None:
    publish_events(broker, [event("honest-1"), event("honest-2")])
    topic = topic_of("wildpost", "stolen", "event")
    publish(broker, *((topic, b"\xff" * 1000) for _ in range(FLOOD)))
    server.sink.open.set()

    def counted() -> int:
        told = server.tally.new.get("stolen", StationTally())
        return server.sink.quarantined + told.unreadable

    eventually(lambda: counted() == FLOOD, "every message to be counted")
    assert server.sink.quarantined < 2_500


def test_a_full_spool_holds_nothing_back_and_nothing_is_lost(broker: Mosquitto, tmp_path: Path) -> None:
    budget = BudgetOptions(messages_per_hour=36_000, spool_megabytes=0)
    running = Server(broker, tmp_path / "spool" / "server", budget=budget)
    running.sink.open.set()
    publish_events(broker, [event("honest-1"), event("honest-2")])
    sent = [event("stolen") for _ in range(FLOOD)]
    publish_events(broker, sent)
    eventually(lambda: running.sink.has(sent), "the whole flood")
    assert "stolen" not in running.tally.new
    running.pipeline.stop()
