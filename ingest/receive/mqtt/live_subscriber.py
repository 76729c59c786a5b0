"""Second subscription for recent captures during a backlog, so that their alerts do not wait for the backlog."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt

from contract import Event, Malformed, decode, subscription
from contract.mqtt import connect_arguments, make_client, stop_network_thread
from contract.mqtt.supervised_client import SupervisedClient
from contract.supervision import Supervisor
from ingest.receive.batch import ReceivedMessage
from ingest.receive.mqtt.options import ReceiverOptions


class LiveSubscriber:
    """Broker connection for recent captures, without a session, open only while the server processes a backlog.

    It delivers copies: each message is also queued in the main session at the broker. A message lost here therefore
    still arrives in order, and the store recognises one that was delivered twice.
    """

    def __init__(
        self,
        options: ReceiverOptions,
        group: str,
        urgent: Callable[[Event], bool],
        deliver: Callable[[ReceivedMessage], bool],
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the subscriber without connecting to the broker; see ``open``.

        Args:
            options: Connection settings of the broker.
            group: Name of the group of workers that share the messages; "" for a single worker.
            urgent: Returns whether a capture may overtake the backlog.
            deliver: Accepts such a message; returns False if it has no room.
            supervisor: Register of the failures.
        """
        self._options = options
        self._topic = subscription(options.prefix, "event", f"{group}-live" if group else "")
        self._urgent = urgent
        self._deliver = deliver
        self._fresh = timedelta(minutes=options.live_minutes)
        self._part = (supervisor or Supervisor()).part("live-subscriber")
        self._lock = threading.Lock()
        self._client: SupervisedClient | None = None

    def open(self) -> None:
        """Connect to the broker and subscribe to events; idempotent."""
        with self._lock:
            if self._client is not None:
                return
            client_id = f"{self._options.client_id}-live"
            client = make_client(SupervisedClient, self._options, client_id, keep_session=False, user="wildpost-live")
            client.part = self._part
            client.on_connect = self._on_connect
            client.on_message = self._on_message
            client.connect_async(**connect_arguments(self._options, keep_session=False))
            client.loop_start()
            self._client = client

    def close(self) -> None:
        """Disconnect from the broker; idempotent."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            stop_network_thread(client)

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, qos=0)

    def _on_message(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        # The main session delivers the message too, and it is set aside there.
        with self._part.guarded():
            self._take(message)

    def _take(self, message: mqtt.MQTTMessage) -> None:
        now = datetime.now(UTC)
        try:
            arrived = ReceivedMessage(message.topic, bytes(message.payload), now)
            event = decode(arrived.topic, arrived.payload)
        except (Malformed, UnicodeDecodeError):
            return  # the main session delivers it too, and it is quarantined there
        if isinstance(event, Event) and now - event.captured_at <= self._fresh and self._urgent(event):
            self._deliver(arrived)
