"""MQTT client that reads and acknowledges messages in bulk, because paho reads the socket five times per message."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from paho.mqtt.enums import MessageType, MQTTErrorCode, MQTTProtocolVersion

from contract.mqtt.supervised_client import SupervisedClient

_CHUNK = 524_288  # each read hands Python's lock to another thread, and getting it back may take 5 ms
_QOS_1 = 0x32  # PUBLISH with QoS 1, not retained; MQTT 5, 2.1.3
_DUPLICATE = 0x08
_LENGTH_BYTES = 4  # largest size of a variable byte integer; MQTT 5, 1.5.5


class DeliveredMessage(msgspec.Struct, frozen=True, gc=False):
    """The fields of a received QoS 1 PUBLISH packet."""

    topic: bytes
    payload: bytes
    mid: int


class BatchReadClient(SupervisedClient):
    """paho MQTT client that parses complete QoS 1 messages directly from each chunk of socket data.

    paho handles all other packets, and also connecting, TLS, keep-alive and errors. The network thread calls
    ``on_delivered`` with the messages of a chunk, and ``on_message`` for messages that paho parsed.
    """

    def __init__(self, *options: Any, **named: Any) -> None:
        """Create the client with the arguments of ``paho.mqtt.client.Client``."""
        self._chunk = b""
        self._at = 0
        self.on_delivered: Callable[[Sequence[DeliveredMessage]], None] | None = None
        super().__init__(*options, **named)

    def reconnect(self) -> MQTTErrorCode:
        """Reconnect to the broker as paho does, and drop the unparsed bytes of the old connection."""
        self._chunk, self._at = b"", 0
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read one chunk from the broker's socket and process all packets in the chunk."""
        if not self._read_chunk():
            return super().loop_read(max_packets)
        while self._at < len(self._chunk) and self._sock is not None:
            if not self._in_packet["command"]:  # otherwise paho is in the middle of a packet
                self._take_delivered()
                if self._at == len(self._chunk) or _is_truncated(self._chunk, self._at):
                    break
            if (rc := super().loop_read(max_packets)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return rc
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def ack_all(self, mids: Sequence[int]) -> None:
        """Acknowledge the QoS 1 messages with the given packet ids in one write."""
        if mids:
            packets = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, mid) for mid in mids)
            self._packet_queue(MessageType.PUBACK, packets, mids[-1], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at == len(self._chunk):
            if bufsize >= _CHUNK:
                return super()._sock_recv(bufsize)
            self._chunk, self._at = super()._sock_recv(_CHUNK), 0
        found = self._chunk[self._at : self._at + bufsize]
        self._at += len(found)
        return found

    def _read_chunk(self) -> bool:
        """Read a chunk from the socket and append it to the unparsed bytes; return False if paho must read instead."""
        rest = self._chunk[self._at :]
        try:
            found = super()._sock_recv(_CHUNK)
        except BlockingIOError:
            return bool(rest)
        except OSError:
            found = b""
        self._chunk, self._at = rest + found if found else b"", 0
        return bool(found)

    def _take_delivered(self) -> None:
        if self.on_delivered is None:
            return
        found: list[DeliveredMessage] = []
        is_v5 = self._protocol == MQTTProtocolVersion.MQTTv5
        while (packet := _read(self._chunk, self._at, is_v5)) is not None:
            delivered, self._at = packet
            found.append(delivered)
        if found:
            self.on_delivered(found)


def _read(chunk: bytes, at: int, is_v5: bool) -> tuple[DeliveredMessage, int] | None:
    """Parse the QoS 1 PUBLISH packet at an offset, and return the message and the end offset of the packet.

    None if the packet is incomplete or of another type.
    """
    if at >= len(chunk) or chunk[at] & ~_DUPLICATE != _QOS_1:
        return None
    length, body = _variable(chunk, at + 1)
    end = body + length
    if body == 0 or end > len(chunk) or length < 4:
        return None
    topic_end = body + 2 + (chunk[body] << 8 | chunk[body + 1])
    payload = topic_end + 2
    if payload > end:
        return None
    if is_v5:
        properties, payload = _variable(chunk, payload)
        payload += properties
        if payload == properties or payload > end:
            return None
    mid = chunk[topic_end] << 8 | chunk[topic_end + 1]
    return DeliveredMessage(chunk[body + 2 : topic_end], chunk[payload:end], mid), end


def _is_truncated(chunk: bytes, at: int) -> bool:
    """Return whether the bytes at an offset are the start of a QoS 1 PUBLISH packet whose end has not arrived.

    False for a packet of which a whole chunk has arrived: paho reads such large packets.
    """
    if chunk[at] & ~_DUPLICATE != _QOS_1 or len(chunk) - at >= _CHUNK:
        return False
    length, body = _variable(chunk, at + 1)
    return body + length > len(chunk) if body else len(chunk) - at <= _LENGTH_BYTES


def _variable(chunk: bytes, at: int) -> tuple[int, int]:
    """Parse an MQTT variable byte integer; return its value and end offset, or (0, 0) if incomplete or too long."""
    value = shift = 0
    for byte in chunk[at : at + _LENGTH_BYTES]:
        at += 1
        if byte < 0x80:
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
    return 0, 0
