"""Hears what is published right now while a backlog is worked off, so that an alert does not wait behind it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt

from contract import Event, Malformed, decode, subscription
from contract.mqtt import connect_arguments, make_client
from ingest.receive.batch import ReceivedMessage
from ingest.receive.mqtt.options import ReceiverOptions


class LiveSubscriber:
    """A second, forgetful link, open only while we are behind.

    It brings copies: each message also waits in the session at the broker, so whatever is lost here comes again in its
    order, and what was brought is then a repeat that the store knows.
    """

    def __init__(
        self,
        options: ReceiverOptions,
        group: str,
        urgent: Callable[[Event], bool],
        bring: Callable[[ReceivedMessage], bool],
    ) -> None:
        """Prepare; nothing is connected before ``open``.

        Args:
            options: How to reach the broker.
            group: Of workers that share the messages; "": there is one.
            urgent: Whether a capture is worth overtaking the others.
            bring: Takes a message that is; False: it has no room.
        """
        self._options = options
        self._topic = subscription(options.prefix, "event", f"{group}-live" if group else "")
        self._urgent = urgent
        self._bring = bring
        self._fresh = timedelta(minutes=options.live_minutes)
        self._lock = threading.Lock()
        self._client: mqtt.Client | None = None

    def open(self) -> None:
        """Begin to listen; harmless when it does."""
        with self._lock:
            if self._client is not None:
                return
            client = make_client(mqtt.Client, self._options, f"{self._options.client_id}-live", keep_session=False)
            client.on_connect = self._on_connect
            client.on_message = self._on_message
            client.connect_async(**connect_arguments(self._options, keep_session=False))
            client.loop_start()
            self._client = client

    def close(self) -> None:
        """Leave; harmless when it has."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, qos=0)

    def _on_message(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        now = datetime.now(UTC)
        try:
            arrived = ReceivedMessage(message.topic, bytes(message.payload), now)
            event = decode(arrived.topic, arrived.payload)
        except (Malformed, UnicodeDecodeError):
            return  # comes in its order, and is quarantined then
        if isinstance(event, Event) and now - event.captured_at <= self._fresh and self._urgent(event):
            self._bring(arrived)
