"""Receiver of messages from the MQTT broker, which acknowledges each message after it is durable."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract import Event, subscription
from contract.errors import WildpostError
from contract.mqtt import describe_refusal, make_client, stop_network_thread
from contract.supervision import Supervisor
from ingest.budgets.options import LIVE_AT_ONCE, LIVE_HZ
from ingest.budgets.tally import station_of
from ingest.budgets.token_bucket import TokenBuckets
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch import NO_TOPIC, ReceivedMessage, topic_text
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.batch_reader import BatchReadClient, DeliveredMessage
from ingest.receive.mqtt.live_subscriber import LiveSubscriber
from ingest.receive.mqtt.options import CLIENT_ID, ReceiverOptions
from ingest.receive.mqtt.revocations import Revocations
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.receive.port import Acknowledge

__all__ = ["BrokerRefused", "Receiver", "ReceiverOptions"]

_BEHIND = 0.9  # share of receive_maximum in flight above which the broker has a backlog
_ABREAST = 0.5
_BEHIND_FOR_S = 2.0
_SOON_S = 10.0
_OFTEN = 3

Divert = Callable[[Sequence[BufferedMessage], Acknowledge], Sequence[BufferedMessage]]


class BrokerRefused(WildpostError, ConnectionError):
    """The broker refused the connection or the subscription; the message says what to change."""


class Receiver:
    """Receiver of messages over one connection to the MQTT broker; implements ``MessageSource``."""

    def __init__(
        self,
        options: ReceiverOptions,
        urgent: Callable[[Event], bool] = lambda event: False,
        metrics: IntakeMetrics | None = None,
        share: SharedSubscription | None = None,
        supervisor: Supervisor | None = None,
        folder: Path | None = None,
        divert: Divert | None = None,
    ) -> None:
        """Create the MQTT client without connecting to the broker; see ``start``.

        Args:
            options: Connection settings of the broker.
            urgent: Returns whether a fresh capture may overtake a backlog.
            metrics: Metrics to update.
            share: Shared subscription of a group of workers; None for a single worker.
            supervisor: Register of the failures of the network threads.
            folder: Folder in which to remember revocations; None: messages queued before a revocation are accepted.
            divert: Takes the messages of stations over their budget and returns the others; see ``SpoolSource``.

        Raises:
            ValueError: a shared subscription was requested with MQTT 3.1.1, which has none.
        """
        if share and options.protocol != "5":
            raise ValueError(f'protocol "{options.protocol}": expected "5", since workers share through $share')
        options = msgspec.structs.replace(options, client_id=options.client_id or CLIENT_ID)
        self._options = options
        self._share = share
        file = folder / f"revocations-{quote(options.client_id, safe='')}.json" if folder else None
        self._revocations = Revocations(options, file)
        self._divert = divert
        self._metrics = metrics or IntakeMetrics()
        self._waiting: MessageBuffer  # set by ``start``, before anything can arrive
        self._stopping = threading.Event()  # replaced by the pipeline's
        self._forgotten = False
        self._answered = threading.Event()
        self._lock = threading.Lock()  # guards the fields below, and acknowledging on their connection
        self._connection = 0  # incremented at each connect and disconnect
        self._connected = False
        self._arrived = 0  # QoS 1 messages on this connection; written by the network thread only
        self._acknowledged = 0
        self._arrived_at = self._abreast_at = self._accepted_at = time.monotonic()
        self._put_out = 0  # consecutive disconnects soon after the broker accepted the connection
        self._problem = ""  # with the broker
        supervisor = supervisor or Supervisor()
        self._client = self._make_client()
        self._client.part = supervisor.part("broker-connection")
        self._live = TokenBuckets(LIVE_HZ, LIVE_AT_ONCE)
        self._tap = LiveSubscriber(options, share.group if share else "", urgent, self._bring_live, supervisor)
        self._metrics.in_flight.set_function(lambda: self.in_flight)
        self._metrics.connected.set_function(lambda: self.connected)

    @property
    def problem(self) -> str:
        """Problem with the broker, as text; see ``MessageSource.problem``."""
        return self._problem

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and the subscription."""
        return self._connected and not self._problem

    @property
    def in_flight(self) -> int:
        """Number of messages received on this connection and not yet acknowledged."""
        return max(0, self._arrived - self._acknowledged)

    @property
    def behind_s(self) -> float:
        """Seconds for which nearly all messages that may be in flight have been; 0 while the receiver keeps up."""
        full = self.in_flight >= _BEHIND * self._options.receive_maximum
        return time.monotonic() - self._abreast_at if full and self._connected else 0.0

    @property
    def idle_s(self) -> float:
        """Seconds since the last message arrived; 0 if messages are being processed or the broker is disconnected."""
        return 0.0 if self.in_flight or not self._connected else time.monotonic() - self._arrived_at

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        """Connect to the broker, and retry without limit if it is unreachable; see ``MessageSource.start``.

        Raises:
            BrokerRefused: the broker refused the connection or the subscription.
        """
        self._waiting, self._stopping = buffer, stopping
        self._client.connect_async(**self._options.session_arguments())
        self._client.loop_start()
        self._answered.wait(answer_s)
        if self._answered.is_set() and not self._connected:
            raise BrokerRefused(self._problem)

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Acknowledge durable messages to the broker; see ``MessageSource.acknowledge``."""
        self._follow_backlog()  # before acknowledging, while in_flight still shows whether the broker has a backlog
        if batch:
            self._acknowledge(batch)

    def forget_session(self) -> None:
        """Make ``stop`` end the broker session; call this only if the session has no messages left."""
        self._forgotten = True

    def stop(self) -> None:
        """Disconnect from the broker; see ``MessageSource.stop``.

        The broker keeps the session, unless ``forget_session`` was called, and redelivers unacknowledged messages.
        """
        self._tap.close()
        properties = None
        if self._forgotten:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        stop_network_thread(self._client)

    def _make_client(self) -> BatchReadClient:
        client = make_client(
            BatchReadClient,
            self._options,
            self._options.client_id,
            keep_session=True,
            user="wildpost-server",
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_delivered = self._on_delivered
        return client

    def _subscriptions(self) -> list[str]:
        prefix = self._options.prefix
        stations = self._share.subscriptions(prefix) if self._share else [subscription(prefix)]
        return [*stations, *self._revocations.subscriptions]

    def _on_connect(self, client: mqtt.Client, data: object, flags: mqtt.ConnectFlags, reason: Any, _: object) -> None:
        if reason.is_failure:  # a refused password also calls on_connect
            self._problem = describe_refusal(self._options, reason)
            self._answered.set()
            return
        with self._lock:
            self._connection += 1
            self._arrived = self._acknowledged = 0
        self._accepted_at = time.monotonic()
        self._revocations.connected(flags.session_present)
        if flags.session_present:
            self._waiting.drop_redelivered()
        if self._share and self._share.retiring:
            client.unsubscribe(self._subscriptions())
        else:
            client.subscribe([(topic, 1) for topic in self._subscriptions()])

    def _on_subscribe(self, client: mqtt.Client, data: object, mid: int, reasons: list[Any], _: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        with self._lock:
            self._connected = not refused
        self._problem = (
            f"broker {self._options.host}:{self._options.port} refuses the subscription to "
            f"{', '.join(self._subscriptions())}: {', '.join(refused)}. Check the rights of this user"
            if refused
            else ""
        )
        self._answered.set()

    def _on_unsubscribe(self, client: mqtt.Client, data: object, mid: int, reasons: object, _: object) -> None:
        with self._lock:
            self._connected = True
        self._arrived_at = time.monotonic()
        self._problem = ""
        self._answered.set()

    def _on_connect_fail(self, client: mqtt.Client, data: object) -> None:
        # paho calls this inside its except block, so sys.exception() has the cause: refused, unknown name, certificate
        self._problem = f"no broker at {self._options.host}:{self._options.port}: {sys.exception()}; retrying"

    def _on_disconnect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        # Stop acknowledging: paho drops unsent packets, and a message id of this connection may name another message
        # on the next one.
        with self._lock:
            self._connected = False
            self._connection += 1
        soon = time.monotonic() - self._accepted_at < _SOON_S
        self._put_out = self._put_out + 1 if soon and not self._stopping.is_set() else 0
        if not self._stopping.is_set() and (not self._problem or self._put_out == _OFTEN):
            self._problem = f"broker {self._options.host}:{self._options.port} disconnected ({reason}); retrying"
            if self._put_out >= _OFTEN:
                self._problem += f". Two servers with client id {self._options.client_id!r} disconnect each other"

    def _on_message(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = NO_TOPIC
        self._metrics.arrived.inc()
        if message.qos:
            self._arrived += 1
        self._arrived_at = time.monotonic()
        payload = bytes(message.payload)
        if self._revocations.is_active:
            topic, payload = self._revocations.checked(topic, payload, None if message.retain else message.mid)
        arrived = ReceivedMessage(topic, payload, datetime.now(UTC))
        self._put([BufferedMessage(arrived, message.mid, message.qos, self._connection)])

    def _on_delivered(self, delivered: Sequence[DeliveredMessage]) -> None:
        self._metrics.arrived.inc(len(delivered))
        self._arrived += len(delivered)
        self._arrived_at = time.monotonic()
        now = datetime.now(UTC)
        contents = [(topic_text(one.topic), one.payload) for one in delivered]
        if self._revocations.is_active:
            contents = [self._revocations.checked(*two, one.mid) for two, one in zip(contents, delivered, strict=True)]
        some = [
            BufferedMessage(ReceivedMessage(topic, payload, now), one.mid, 1, self._connection)
            for (topic, payload), one in zip(contents, delivered, strict=True)
        ]
        self._put(some)

    def _put(self, some: Sequence[BufferedMessage]) -> None:
        if self._divert is not None:
            some = self._divert(some, self._acknowledge)
        if some:
            self._waiting.put(some, self._stopping)

    def _bring_live(self, arrived: ReceivedMessage) -> bool:
        if not self._live.take(station_of(arrived.topic)):
            return False  # a flood of recent captures would overtake those of all other stations
        if not self._waiting.put_live(BufferedMessage(arrived, 0, 0, 0)):
            return False
        self._metrics.ahead.inc()
        return True

    def _follow_backlog(self) -> None:
        """Open the subscription for recent captures while the broker has a backlog, and close it afterwards."""
        now, share = time.monotonic(), self.in_flight / self._options.receive_maximum
        if share < _BEHIND:
            self._abreast_at = now
        if self._options.protocol != "5" or not self._options.live_minutes or (self._share and self._share.retiring):
            return
        if now - self._abreast_at > _BEHIND_FOR_S:
            self._metrics.catching_up.set(1)
            self._tap.open()
        elif share < _ABREAST:
            self._metrics.catching_up.set(0)
            self._tap.close()

    def _acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        with self._lock:
            mine = [one.mid for one in batch if one.qos and one.connection == self._connection]
            self._revocations.acknowledging(mine)
            self._client.ack_all(mine)
            self._acknowledged += len(mine)
