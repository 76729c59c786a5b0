"""Read in large pieces, cut anywhere, messages are what paho alone makes of the same bytes."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.receive.mqtt.batch_reader import BatchReadClient, DeliveredMessage

Message = tuple[bytes, bytes, int, int]  # topic, payload, id, QoS
V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311

topics = st.sampled_from([b"a", b"wildpost/v1/ridge-07/event", "野哨/v1/山脊/event".encode(), b"x" * 300])
BEGINNING = b"\x32\xff\x7f"  # of a message whose end is far off
payloads = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda size, of: of * (size // len(of)), st.integers(100, 150_000), st.sampled_from([b"p", BEGINNING])),
)
messages = st.lists(st.tuples(topics, payloads, st.integers(1, 65_535), st.sampled_from([0, 1, 1, 1])), max_size=12)


def variable(value: int) -> bytes:
    found = b""
    while True:
        value, byte = divmod(value, 128)
        found += bytes([byte | (0x80 if value else 0)])
        if not value:
            return found


def publish(message: Message, properties: bytes | None, duplicate: bool = False, retained: bool = False) -> bytes:
    topic, payload, mid, qos = message
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if qos else b"")
    body += (variable(len(properties)) + properties if properties is not None else b"") + payload
    return bytes([0x30 | qos << 1 | duplicate << 3 & 8 * bool(qos) | retained]) + variable(len(body)) + body


class Broker:
    """Answers a connection, then sends bytes cut as told, and keeps what comes."""

    def __init__(self, five: bool, pieces: list[bytes]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.got = b""
        self._answer = b"\x20\x03\x00\x00\x00" if five else b"\x20\x02\x00\x00"
        self._pieces = pieces
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        line, _ = self._listener.accept()
        with line, self._listener:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.recv(65_536)
            line.sendall(self._answer)
            for piece in self._pieces:
                line.sendall(piece)
            while data := line.recv(65_536):
                self.got += data

    def close(self) -> None:
        self._thread.join(20)


@contextmanager
def connected(client: mqtt.Client, port: int) -> Iterator[None]:
    client.connect("127.0.0.1", port)
    yield
    client.disconnect()
    client.loop_write()


def taken(kind: type[mqtt.Client], protocol: MQTTProtocolVersion, pieces: list[bytes], count: int) -> list[Message]:
    """Have a client of a kind read pieces."""
    broker = Broker(protocol == V5, pieces)
    client = kind(CallbackAPIVersion.VERSION2, protocol=protocol, manual_ack=True)
    found: list[Message] = []

    def on_message(client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        found.append((message._topic, bytes(message.payload), message.mid, message.qos))

    client.on_message = on_message
    if isinstance(client, BatchReadClient):
        client.on_delivered = lambda some: found.extend((one.topic, one.payload, one.mid, 1) for one in some)
    with connected(client, broker.port):
        for _ in range(2000):
            if len(found) == count and client.is_connected():
                break
            assert client.loop(1) == mqtt.MQTT_ERR_SUCCESS
    broker.close()
    return found


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [piece for piece in [*pieces, data[at:]] if piece]


@settings(max_examples=80, deadline=None)
@given(messages, st.lists(st.integers(1, 5000), max_size=20), st.booleans(), st.booleans(), st.data())
def test_the_same_bytes_give_the_same_messages(
    sent: list[Message], sizes: list[int], five: bool, retained: bool, data: st.DataObject
) -> None:
    properties = None
    if five:
        own = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if data.draw(st.booleans()):
            own.UserProperty = ("who", "x" * data.draw(st.integers(0, 200)))
        properties = own.pack()[len(variable(len(own.pack()) - 1)) :]  # type: ignore[no-untyped-call]
        properties = properties if own.json() != {} else b""  # type: ignore[no-untyped-call]
    stream = b"".join(publish(one, properties, data.draw(st.booleans()), retained) for one in sent)
    protocol = V5 if five else V311
    expected = [(topic, payload, mid if qos else 0, qos) for topic, payload, mid, qos in sent]
    assert taken(BatchReadClient, protocol, cut(stream, sizes), len(sent)) == expected
    assert taken(mqtt.Client, protocol, cut(stream, sizes), len(sent)) == expected


def test_a_batch_is_acknowledged_as_one_by_one() -> None:
    sent: list[bytes] = []
    for all_at_once in (True, False):
        broker = Broker(True, [])
        client = BatchReadClient(CallbackAPIVersion.VERSION2, protocol=V5, manual_ack=True)
        with connected(client, broker.port):
            while not client.is_connected():
                client.loop(1)
            if all_at_once:
                client.ack_all([1, 256, 65_535])
            else:
                for mid in (1, 256, 65_535):
                    client.ack(mid, 1)
            client.loop_write()
        broker.close()
        sent.append(broker.got)
    assert sent[0] == sent[1]
    assert sent[0].startswith(b"\x40\x02\x00\x01\x40\x02\x01\x00\x40\x02\xff\xff")


def test_what_is_left_of_a_broken_line_is_nothing_to_the_next() -> None:
    half = publish((b"topic", b"lost", 7, 1), b"")[:-2]
    client = BatchReadClient(CallbackAPIVersion.VERSION2, protocol=V5, manual_ack=True)
    found: list[DeliveredMessage] = []
    client.on_delivered = found.extend
    whole = publish((b"topic", b"first", 1, 1), b"") + publish((b"topic", b"kept", 8, 1), b"")
    client.on_message = lambda *told: found.append(DeliveredMessage(b"topic", bytes(told[2].payload), told[2].mid))
    for pieces in ([half], [whole]):
        broker = Broker(True, pieces)
        client.connect("127.0.0.1", broker.port)
        for _ in range(20):
            client.loop(0.05)
        client.disconnect()
        client.loop_write()
        broker.close()
    assert [one.payload for one in found] == [b"first", b"kept"]


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x03\x00\x05a",  # the topic reaches beyond the packet
        b"\x32\xff\xff\xff\xff\xff",  # a length of five bytes
        b"\x32\x06\x00\x01a\x00\x07\x09",  # properties reach beyond the packet
        b"\x32\x02\x00\x00",  # no message id
    ],
)
def test_a_broken_packet_ends_the_line_as_paho_ends_it(packet: bytes) -> None:
    def ended(kind: type[mqtt.Client]) -> tuple[Any, int]:
        good = publish((b"topic", b"good", 1, 1), b"")
        broker = Broker(True, [good + good + packet])
        client = kind(CallbackAPIVersion.VERSION2, protocol=V5, manual_ack=True)
        count = 0

        def counting(*_: object) -> None:
            nonlocal count
            count += 1

        client.on_message = counting
        if isinstance(client, BatchReadClient):
            client.on_delivered = lambda some: counting(*map(counting, some[1:]))
        client.connect("127.0.0.1", broker.port)
        result = mqtt.MQTT_ERR_SUCCESS
        for _ in range(40):
            try:
                result = client.loop(0.05)
            except Exception as error:  # noqa: BLE001, whatever paho does with it
                return type(error), count
            if result:
                break
        client.disconnect()
        client.loop_write()
        broker.close()
        return result, count

    assert ended(BatchReadClient) == ended(mqtt.Client)
