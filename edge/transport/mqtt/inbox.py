"""Subscription of a station to what the server tells it, on the connection of the publisher."""

import logging
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt

from contract import topic_of
from contract.envelope import ENVELOPE_BYTES
from contract.topics import CHANNELS, Channel

LOG = logging.getLogger("wildpost.publisher")
Deliver = Callable[[Channel, bytes, bool], None]


class Inbox:
    """Receives messages on the station's own topics for commands and settings, and on no others."""

    def __init__(self, prefix: str, station: str, deliver: Deliver) -> None:
        """Store where messages go: ``deliver`` gets the channel, the payload and whether it is a retained copy."""
        self._channels: dict[str, Channel] = {topic_of(prefix, station, channel): channel for channel in CHANNELS}
        self._deliver = deliver

    def attach(self, client: mqtt.Client) -> None:
        """Receive messages of a client, which must call ``subscribe`` on each connection."""
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    def subscribe(self, client: mqtt.Client) -> None:
        """Subscribe to the station's topics."""
        client.subscribe([(topic, 1) for topic in self._channels])

    def _on_subscribe(self, client: object, data: object, mid: int, reasons: list[Any], properties: object) -> None:
        for topic, reason in zip(self._channels, reasons, strict=False):
            if reason.is_failure:
                LOG.error("the broker refuses to deliver %s: %s; on the broker: wildpost broker upgrade", topic, reason)

    def _on_message(self, client: object, data: object, message: mqtt.MQTTMessage) -> None:
        channel = self._channels.get(message.topic)
        if channel is None or not message.payload:  # an empty message only ends a retained one
            return
        if len(message.payload) > ENVELOPE_BYTES:
            LOG.error("%s: %d bytes are ignored: expected %d", message.topic, len(message.payload), ENVELOPE_BYTES)
            return
        self._deliver(channel, bytes(message.payload), message.retain)
