"""What every transport does, run against each of them: a real broker with a subscriber, a real folder with receipts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract import topic_of
from contract.bundle.documents import Receipt, ReceivedEntry, encode_document
from contract.bundle.reader import BundleReader
from contract.durable_file import durable_file
from contract.mqtt import stop_network_thread
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.bundle.exporter import BundleOptions
from edge.transport.bundle.transport import BundleTransport
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from edge.transport.port import Transport
from tests.conftest import Mosquitto
from tests.eventually import eventually

EVENT_TOPIC = topic_of("wildpost", "ridge-07", "event")


class Link(Protocol):
    """The way from the station to the server, which a test may break, and what has come to its end."""

    arrived: list[bytes]

    def transport(self, outbox: Outbox) -> Transport: ...
    def listen(self) -> None: ...
    def cut(self) -> None: ...
    def restore(self) -> None: ...
    def close(self) -> None: ...


class BrokerLink:
    """Mosquitto and a subscriber with a session of its own."""

    def __init__(self, broker: Mosquitto) -> None:
        self.arrived: list[bytes] = []
        self._broker = broker
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="far", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda _client, _data, message: self.arrived.append(bytes(message.payload))

    def transport(self, outbox: Outbox) -> Transport:
        return Publisher(StationBrokerOptions(port=self._broker.port, reconnect_max_s=1), "ridge-07", outbox)

    def listen(self) -> None:
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(EVENT_TOPIC, 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self._broker.port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert subscribed.wait(10)

    def cut(self) -> None:
        self._broker.stop()

    def restore(self) -> None:
        self._broker.start()

    def close(self) -> None:
        self._client.disconnect()
        stop_network_thread(self._client)


class StickLink:
    """A folder, and a thread that reads every bundle in it and answers with a receipt."""

    def __init__(self, folder: Path) -> None:
        self.arrived: list[bytes] = []
        self._folder = folder
        self._folder.mkdir()
        self._stopping = threading.Event()
        self._carrying = threading.Lock()
        self._thread = threading.Thread(target=self._carry)

    def transport(self, outbox: Outbox) -> Transport:
        return BundleTransport(BundleOptions(folder=str(self._folder), every_s=0.05), "ridge-07", outbox)

    def listen(self) -> None:
        self._thread.start()

    def cut(self) -> None:
        with self._carrying:
            self._folder.rename(self._folder.with_name("away"))

    def restore(self) -> None:
        with self._carrying:
            self._folder.with_name("away").rename(self._folder)

    def close(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _carry(self) -> None:
        while not self._stopping.wait(0.02):
            with self._carrying:
                for path in sorted(self._folder.glob("*.wildpost.tar")):
                    self._receive(path)

    def _receive(self, path: Path) -> None:
        answer = path.with_name(f"{path.name}.receipt.json")
        if answer.exists():
            return
        try:
            with BundleReader(path) as bundle:
                read = list(bundle.entries())
        except FileNotFoundError:
            return  # the station has taken the receipt meanwhile
        assert not any(one.reason for one in read)
        self.arrived += [one.payload for one in read]
        entries = tuple(ReceivedEntry(number=one.entry.number, sha256=one.entry.sha256) for one in read)
        receipt = Receipt(station="ridge-07", bundle=path.name, received_at=datetime.now(UTC), entries=entries)
        with durable_file(answer) as file:
            file.write(encode_document(receipt))


@pytest.fixture(params=["mqtt", "bundle"])
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    made: Link
    if request.param == "mqtt":
        made = BrokerLink(request.getfixturevalue("mosquitto"))
    else:
        made = StickLink(tmp_path / "stick")
    yield made
    made.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


@contextmanager
def running(link: Link, outbox: Outbox) -> Iterator[Transport]:
    transport = link.transport(outbox)
    transport.start()
    try:
        yield transport
    finally:
        transport.stop()


def message(payload: bytes, priority: int = 0) -> OutboxMessage:
    return OutboxMessage(EVENT_TOPIC, payload, priority)


def numbered(count: int) -> list[bytes]:
    return [f"{number:04}".encode() for number in range(count)]


def test_everything_arrives_in_the_order_of_the_outbox_and_leaves_it(link: Link, outbox: Outbox) -> None:
    outbox.commit([message(b"animal", 1), message(b"media", 3), message(b"person", 0)])
    link.listen()
    with running(link, outbox) as transport:
        assert transport.drain(20)
        eventually(lambda: link.arrived == [b"person", b"animal", b"media"])
        assert transport.connected
        assert transport.problem == ""
        assert len(outbox) == 0


def test_what_is_stored_while_it_runs_leaves_by_itself(link: Link, outbox: Outbox) -> None:
    link.listen()
    with running(link, outbox) as transport:
        for payload in numbered(50):
            outbox.commit([message(payload)])
        assert transport.drain(20)
        eventually(lambda: sorted(set(link.arrived)) == numbered(50))


def test_nothing_leaves_the_outbox_while_nobody_receives(link: Link, outbox: Outbox) -> None:
    outbox.commit([message(payload) for payload in numbered(3)])
    with running(link, outbox) as transport:
        eventually(lambda: transport.connected)
        assert not transport.drain(1)
        assert len(outbox) == 3
        link.listen()
        assert transport.drain(20)
    assert sorted(set(link.arrived)) == numbered(3)


def test_a_broken_link_is_named_and_nothing_is_lost_when_it_is_back(link: Link, outbox: Outbox) -> None:
    link.listen()
    with running(link, outbox) as transport:
        outbox.commit([message(b"before")])
        assert transport.drain(20)
        link.cut()
        eventually(lambda: not transport.connected)
        outbox.commit([message(b"meanwhile")])
        eventually(lambda: transport.problem)
        assert not transport.drain(0.3)
        link.restore()
        assert transport.drain(20)
        eventually(lambda: b"meanwhile" in link.arrived)
        assert transport.problem == ""
    assert set(link.arrived) == {b"before", b"meanwhile"}


def test_a_link_that_is_away_at_the_start_is_used_once_it_is_there(link: Link, outbox: Outbox) -> None:
    link.listen()
    link.cut()
    outbox.commit([message(b"1")])
    with running(link, outbox) as transport:
        eventually(lambda: transport.problem)
        link.restore()
        assert transport.drain(20)
    eventually(lambda: b"1" in link.arrived)


def test_stopping_loses_nothing_and_the_next_transport_goes_on(link: Link, outbox: Outbox) -> None:
    outbox.commit([message(payload) for payload in numbered(300)])
    link.listen()
    with running(link, outbox):
        time.sleep(0.2)
    with running(link, outbox) as transport:
        assert transport.drain(20)
    eventually(lambda: sorted(set(link.arrived)) == numbered(300))


def test_a_transport_that_was_never_started_can_be_stopped(link: Link, outbox: Outbox) -> None:
    link.transport(outbox).stop()
