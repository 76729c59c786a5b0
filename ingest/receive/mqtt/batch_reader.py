"""Reads what a broker sends in large pieces, and acknowledges a batch in one: paho alone asks five times a message."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import MessageType, MQTTErrorCode, MQTTProtocolVersion

_PIECE = 65_536
_QOS_1 = 0x32  # a PUBLISH of QoS 1 that is not retained; MQTT 5, 2.1.3
_DUPLICATE = 0x08
_LENGTH_BYTES = 4  # of a variable byte integer at most; MQTT 5, 1.5.5


class DeliveredMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of QoS 1, as it stood in its packet."""

    topic: bytes
    payload: bytes
    mid: int


class BatchReadClient(mqtt.Client):
    """paho's client, except that whole messages of QoS 1 are taken out of a piece as they lie there.

    Everything else goes paho's own way, so connecting, TLS, keep-alive and errors are paho's. ``on_delivered`` is
    called by the network thread with what a piece held, and ``on_message`` for the others.
    """

    def __init__(self, *options: Any, **named: Any) -> None:
        """See ``paho.mqtt.client.Client``."""
        self._piece = b""
        self._at = 0
        self.on_delivered: Callable[[Sequence[DeliveredMessage]], None] | None = None
        super().__init__(*options, **named)

    def reconnect(self) -> MQTTErrorCode:
        """See ``paho.mqtt.client.Client.reconnect``; what is left of the old line is nothing to the new one."""
        self._piece, self._at = b"", 0
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take everything that the broker has sent."""
        if not self._read_on():
            return super().loop_read(max_packets)
        while self._at < len(self._piece) and self._sock is not None:
            if not self._in_packet["command"]:  # else paho is in the middle of one
                self._take_delivered()
                if self._at == len(self._piece) or _breaks_off(self._piece, self._at):
                    break
            if (rc := super().loop_read(max_packets)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return rc
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def ack_all(self, mids: Sequence[int]) -> None:
        """Acknowledge messages of QoS 1, as ``ack`` does with one."""
        if mids:
            packets = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, mid) for mid in mids)
            self._packet_queue(MessageType.PUBACK, packets, mids[-1], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at == len(self._piece):
            if bufsize >= _PIECE:
                return super()._sock_recv(bufsize)
            self._piece, self._at = super()._sock_recv(_PIECE), 0
        found = self._piece[self._at : self._at + bufsize]
        self._at += len(found)
        return found

    def _read_on(self) -> bool:
        """Read another piece, behind what the last one broke off in; False: there is none, and paho will see why."""
        rest = self._piece[self._at :]
        try:
            found = super()._sock_recv(_PIECE)
        except BlockingIOError:
            return bool(rest)
        except OSError:
            found = b""
        self._piece, self._at = rest + found if found else b"", 0
        return bool(found)

    def _take_delivered(self) -> None:
        if self.on_delivered is None:
            return
        found: list[DeliveredMessage] = []
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        while (packet := _read(self._piece, self._at, five)) is not None:
            delivered, self._at = packet
            found.append(delivered)
        if found:
            self.on_delivered(found)


def _read(piece: bytes, at: int, five: bool) -> tuple[DeliveredMessage, int] | None:
    """Read the PUBLISH of QoS 1 that begins here, and say where it ends; None: it is another packet, or not whole."""
    if at >= len(piece) or piece[at] & ~_DUPLICATE != _QOS_1:
        return None
    length, body = _variable(piece, at + 1)
    end = body + length
    if body == 0 or end > len(piece) or length < 4:
        return None
    topic_end = body + 2 + (piece[body] << 8 | piece[body + 1])
    payload = topic_end + 2
    if payload > end:
        return None
    if five:
        properties, payload = _variable(piece, payload)
        payload += properties
        if payload == properties or payload > end:
            return None
    mid = piece[topic_end] << 8 | piece[topic_end + 1]
    return DeliveredMessage(piece[body + 2 : topic_end], piece[payload:end], mid), end


def _breaks_off(piece: bytes, at: int) -> bool:
    """Tell whether a PUBLISH of QoS 1 begins here whose end is still to come; a large one is left to paho."""
    if piece[at] & ~_DUPLICATE != _QOS_1 or len(piece) - at >= _PIECE:
        return False
    length, body = _variable(piece, at + 1)
    return body + length > len(piece) if body else len(piece) - at <= _LENGTH_BYTES


def _variable(piece: bytes, at: int) -> tuple[int, int]:
    """Read a variable byte integer: its value, and where what follows begins; 0: it is not whole, or too long."""
    value = shift = 0
    for byte in piece[at : at + _LENGTH_BYTES]:
        at += 1
        if byte < 0x80:
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
    return 0, 0
