"""Publisher of the outbox's messages to the MQTT broker, with retries and redelivery."""

import logging
import queue
import sys
import threading
from datetime import UTC
from typing import Annotated, Any, Literal

import paho.mqtt.client as mqtt
from msgspec import Meta

from contract import topic_of
from contract.mqtt import BrokerOptions, connect_arguments, make_client, stop_network_thread
from contract.mqtt.endpoint_probe import explain_endpoint, explain_no_tls
from contract.mqtt.refusal import reason_code, refusal_step
from contract.mqtt.supervised_client import SupervisedClient
from contract.supervision import SupervisedThread
from edge.link_budget import LinkBudget, LinkOptions
from edge.outbox.drain import wait_until_empty
from edge.outbox.outbox import Outbox, OutboxFull, OutboxMessage
from edge.transport.mqtt.inbox import Inbox
from edge.transport.mqtt.redelivery import Redelivery
from edge.transport.mqtt.status import status_payload
from edge.transport.mqtt.takeover import Takeovers, contest_problem
from edge.transport.mqtt.topic_backoff import TopicBackoff
from edge.transport.mqtt.unsendable import unsendable_report

LOG = logging.getLogger("wildpost.publisher")
MOMENT_S = 0.05  # polling interval for new messages in the outbox

# Permanent reason codes of a PUBACK (MQTT 5, table 2-6): topic name, packet too large, payload format.
_NEVER = frozenset({0x90, 0x95, 0x99})
_NOBODY = 0x10  # likewise: success, but there was no subscriber and the broker dropped the message
# Reason codes of a DISCONNECT (MQTT 5, table 3-13); Mosquitto 2.0 sends none when another client takes over.
_KEEP_ALIVE_TIMEOUT, _TAKEN_OVER = 0x8D, 0x8E
_SESSION_EXPIRY_S = 24 * 3600
_HEADER_BYTES = 32  # upper bound for a PUBLISH packet without topic and payload


class StationBrokerOptions(BrokerOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a station's broker connection, with limits for sending and retrying.

    Attributes:
        in_flight: Largest number of sent messages without acknowledgement.
        reconnect_max_s: Longest pause between two attempts to connect; the first is 1 s, each next twice as long.
        keep_acknowledged_s: Time that an acknowledged message is kept and sent again if the connection breaks;
            longer than the broker takes to save (Mosquitto's ``autosave_interval``). 0: never sent again.
    """

    in_flight: Annotated[int, Meta(ge=1, le=1000)] = 20
    reconnect_max_s: Annotated[int, Meta(ge=1)] = 300
    keep_acknowledged_s: Annotated[float, Meta(ge=0, le=3600)] = 60.0


class Publisher:
    """One connection to the broker, and a thread that publishes the messages of the outbox."""

    def __init__(
        self,
        options: StationBrokerOptions,
        station: str,
        outbox: Outbox,
        version: str = "",
        inbox: Inbox | None = None,
        links: LinkBudget | None = None,
    ) -> None:
        """Store the options; ``inbox`` receives what the server says; ``links`` limits what is sent, None: nothing."""
        self._inbox = inbox
        self._links = links or LinkBudget(LinkOptions(), UTC, (), outbox)
        self._options, self._station, self._outbox, self._version = options, station, outbox, version
        self._status_topic = topic_of(options.prefix, station, "status")
        self._sent: dict[int, OutboxMessage] = {}  # by paho's message id; used by the thread only
        self._answers: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()  # message id, reason code
        self._held = TopicBackoff(options.reconnect_max_s)
        self._largest_bytes = 0  # largest packet that the broker accepts; 0: no limit
        self._acknowledged = Redelivery(outbox, options.keep_acknowledged_s)  # used by the thread only
        self._broke = threading.Event()  # the connection, since acknowledgements were last processed
        self._broke.set()  # a previous process may have ended without processing them
        self._connected = threading.Event()
        self._stopping = threading.Event()
        self._was_refused = False  # whether the broker refused this connection, or a message on it
        self._takeovers = Takeovers(options.reconnect_max_s)
        self._problem = ""
        self._refused = ""  # message about the topics in _held
        self._client = self._make_client()
        self._thread = SupervisedThread("publisher", self._step, stopping=self._stopping)

    @property
    def problem(self) -> str:
        """Description of the problem that prevents sending; empty if there is none."""
        own = self._contest if self._takeovers.contested else ""
        return self._problem or own or self._refused or self._thread.part.problem or self._client.part.problem

    @property
    def connected(self) -> bool:
        """Whether the connection to the broker is accepted and open."""
        return self._connected.is_set()

    def start(self) -> None:
        """Connect to the broker in the background, with retries, and start the thread that sends messages."""
        self._client.connect_async(
            **connect_arguments(self._options, keep_session=True, session_expiry_s=_SESSION_EXPIRY_S)
        )
        self._client.loop_start()
        self._thread.start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until the outbox is empty; return False after the timeout or when the publisher stops."""
        return wait_until_empty(self._outbox, timeout_s, self._stopping)

    def retry(self) -> None:
        """Try the topics that the broker refused again now."""
        self._held.clear()

    def stop(self) -> None:
        """Publish the status "offline" and disconnect; unacknowledged messages stay in the outbox."""
        self._thread.stop()
        if self._thread.started:
            self._settle_answers()
            self._links.save(at_once=True)
        if self._connected.is_set():
            farewell = self._publish_status("offline")
            try:
                farewell.wait_for_publish(2)
            except (RuntimeError, ValueError) as error:
                LOG.warning("the broker did not acknowledge the status offline; it publishes the last will: %s", error)
        self._client.disconnect()
        stop_network_thread(self._client)

    def _step(self) -> float:
        self._send_what_fits()
        self._settle_answers()
        self._links.save()
        if self._takeovers.resolved():
            self._set_will()
            self._publish_status("online")
            LOG.info("station %r: no other client of this name takes over the connection any more", self._station)
        return 0.0

    def _send_what_fits(self) -> None:
        room = self._options.in_flight - len(self._sent)
        if not room or not self._connected.is_set():
            return
        under_way = {message.number for message in self._sent.values()}
        excluded = {*under_way, *self._acknowledged.unrecorded}
        paused = [*self._held.paused_topics(), *self._links.paused_topics()]
        for message in self._outbox.waiting(room, excluded, paused):
            # The message before may have used up the budget of the link.
            if not self._connected.is_set() or message.topic in self._links.paused_topics():
                break
            size = len(message.topic.encode()) + len(message.payload) + _HEADER_BYTES
            if self._largest_bytes and size > self._largest_bytes:
                self._set_aside(message, f"{size} bytes: the broker takes at most {self._largest_bytes}")
                continue
            if not self._held.claim_probe(message.topic):
                continue
            # If the connection breaks now, paho sends the message again under the same id, so it stays in _sent.
            self._links.count(size)
            try:
                self._sent[self._client.publish(message.topic, message.payload, qos=1).mid] = message
            except ValueError as error:  # paho: the topic or the size is impossible
                self._set_aside(message, f"{len(message.payload)} bytes: {error}")

    def _settle_answers(self) -> None:
        """Wait up to ``MOMENT_S`` for the broker's acknowledgements and process them."""
        broke = self._broke.is_set()  # read first: all answers of the broken connection are queued then
        self._broke.clear()
        timeout_s = None if broke else MOMENT_S
        while True:
            try:
                mid, reason = self._answers.get(timeout=timeout_s) if timeout_s else self._answers.get_nowait()
            except queue.Empty:
                break
            timeout_s = None
            message = self._sent.pop(mid, None)  # None: the status message
            if message is not None:
                self._settle(message, reason)
        try:
            self._acknowledged.flush()
            if broke and (again := self._acknowledged.connection_lost()):
                LOG.info("sending %d acknowledged messages again, since the broker may have been killed", again)
        except OutboxFull as full:  # sensors fail likewise; kept in memory until there is space
            self._note(str(full))
            if broke:
                self._broke.set()
                self._stopping.wait(MOMENT_S)

    def _settle(self, message: OutboxMessage, reason: Any) -> None:
        if reason.value in _NEVER:
            self._set_aside(message, f"{len(message.payload)} bytes: the broker refused it: {reason}")
        elif reason.is_failure or reason.value == _NOBODY:
            # Permissions and subscribers may change: this topic is retried, and the other topics continue.
            if self._held.record_refusal(message.topic):
                self._say_what_is_held(reason)
        else:
            self._acknowledged.acknowledge(message.number)
            if self._held.record_success(message.topic):
                self._say_what_is_held(reason)

    def _say_what_is_held(self, reason: Any) -> None:
        before, on = self._refused, ", ".join(self._held.topics)
        if not on:
            self._refused = ""
            self._note("")
        elif reason.is_failure:
            self._refused = f"{self._options.host} refused a message of station {self._station!r} on {on}: {reason}"
        elif reason.value == _NOBODY:
            self._refused = (
                f"no server subscribes at {self._options.host} to {on}: is it running, with the same prefix?"
            )
            if self._refused != before:
                LOG.error("%s; messages stay in the outbox and are sent later", self._refused)

    def _set_aside(self, message: OutboxMessage, reason: str) -> None:
        report = unsendable_report(self._options.prefix, self._station, message, reason)
        try:
            self._outbox.set_aside(message, reason, report)
        except OutboxFull as full:
            self._note(str(full))
        else:
            LOG.error("%s is set aside as unsendable: %s", message.topic, reason)

    def _make_client(self) -> SupervisedClient:
        client = make_client(
            SupervisedClient,
            self._options,
            f"wildpost-{self._station}",
            keep_session=True,
            reconnect_max_s=self._options.reconnect_max_s,
        )
        client.max_inflight_messages_set(self._options.in_flight + 1)
        client.will_set(self._status_topic, self._status("offline"), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        if self._inbox:
            self._inbox.attach(client)
        return client

    def _status(self, state: Literal["online", "offline"]) -> bytes:
        return status_payload(self._station, state, self._version, self._takeovers.contested)

    def _publish_status(self, state: Literal["online", "offline"]) -> mqtt.MQTTMessageInfo:
        return self._client.publish(self._status_topic, self._status(state), qos=1, retain=True)

    def _set_will(self) -> None:
        """Set the last will of the next connection."""
        self._client.will_set(self._status_topic, self._status("offline"), qos=1, retain=True)

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: Any, properties: Any) -> None:
        if reason.is_failure:  # also called when the broker refuses the password
            self._was_refused = True
            step = refusal_step(self._options, reason_code(reason))
            self._note(f"{self._options.address} refused station {self._station!r}: {reason}; {step}")
            return
        self._takeovers.accepted()
        self._was_refused = False
        self._note("")
        self._largest_bytes = getattr(properties, "MaximumPacketSize", 0)
        self._publish_status("online")
        if self._inbox:
            self._inbox.subscribe(client)
        self._connected.set()

    def _on_connect_fail(self, client: mqtt.Client, data: object) -> None:
        # paho calls this while it handles the error: connection refused, unknown host, untrusted certificate
        explanation = explain_no_tls(self._options) if self._options.tls else None
        problem = f"{explanation.found}; {explanation.next_step}" if explanation else f"{sys.exception()}"
        self._note(f"{self._options.address} cannot be reached: {problem}")

    def _on_disconnect(self, client: mqtt.Client, data: object, flags: object, reason: Any, properties: object) -> None:
        accepted = self._connected.is_set()
        self._connected.clear()
        self._broke.set()
        if not accepted:
            self._note_handshake(reason)
            return  # paho doubles the pause
        was_contested = self._takeovers.contested
        # Mosquitto 2.0 gives no reason. It also closes a connection after refused messages, which is no takeover.
        explained = self._was_refused or reason_code(reason) == _KEEP_ALIVE_TIMEOUT
        pause_s = self._takeovers.lost(reason_code(reason) == _TAKEN_OVER, explained)
        client.reconnect_delay_set(pause_s, max(pause_s, self._options.reconnect_max_s))  # type: ignore[arg-type]
        if self._takeovers.contested != was_contested:
            self._set_will()
        if self._takeovers.contested and not was_contested:
            LOG.error("%s; messages stay in the outbox and are sent while this one is connected", self._contest)
        elif reason.is_failure and not self._problem and not was_contested:
            self._note(f"{self._options.address} closed the connection: {reason}")

    @property
    def _contest(self) -> str:
        return contest_problem(self._station, self._options.address, self._options.reconnect_max_s)

    def _note_handshake(self, reason: object) -> None:
        """Note why a connection ended before the broker accepted it, unless the broker itself has said so."""
        was_refused, self._was_refused = self._was_refused, False
        if was_refused or self._stopping.is_set():
            return
        explanation = explain_endpoint(self._options)
        if explanation is None:
            self._note(f"{self._options.address} closed the connection before it was accepted: {reason}")
        else:
            self._note(f"{self._options.address}: {explanation.found}; {explanation.next_step}")

    def _on_publish(self, client: mqtt.Client, data: object, mid: int, reason: Any, properties: object) -> None:
        if reason.is_failure:
            self._was_refused = True
            self._note(f"{self._options.host} refused a message of station {self._station!r}: {reason}")
        # Passed to the sending thread: only it knows which message an id belongs to.
        self._answers.put((mid, reason))

    def _note(self, problem: str) -> None:
        """Store the connection's current problem, and log it once instead of at every attempt."""
        if problem and problem != self._problem:
            LOG.error("%s; messages stay in the outbox and are sent later", problem)
        elif self._problem and not problem:
            LOG.info("connected to %s:%s", self._options.host, self._options.port)
        self._problem = problem
