"""Changes users of a running broker through Mosquitto's dynamic-security plugin, which does not read its file again."""

import json
import queue
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt

from contract.errors import Undelivered
from contract.mqtt.connection import BrokerOptions, connect_arguments, make_client, stop_network_thread
from contract.server_users import ADMIN, CONTROL

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where and how `wildpost broker` connects to the broker of its folder.

    Attributes:
        port: A port of this machine on which the broker listens.
        ca_file: Certificate of the broker's authority.
        password_file: Password of the user ``ADMIN``.
        sets_client_id: Whether the listener lets the client choose its client id.
    """

    port: int
    ca_file: Path
    password_file: Path
    sets_client_id: bool

    def answers(self) -> bool:
        """Return whether a program listens on the port."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return True
        except OSError:
            return False


class BrokerControl:
    """Connection of the user ``ADMIN`` to a running broker; a context manager."""

    def __init__(self, address: ControlAddress) -> None:
        """Connect to the broker.

        Raises:
            Undelivered: the broker does not answer, or refuses the user.
        """
        self._address = address
        self._answers: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._acknowledged: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._client = self._connect(f"{ADMIN}-{secrets.token_hex(8)}")
        self._client.on_message = self._on_message
        self._client.on_publish = lambda client, data, mid, reason, _: self._acknowledged.put((mid, reason))
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe(f"{CONTROL}/response", qos=1)
        if not subscribed.wait(TIMEOUT_S):
            self.close()
            raise Undelivered(f"broker on port {address.port}: no answer to a subscription")

    def run(self, commands: Sequence[Mapping[str, Any]]) -> None:
        """Run commands of the plugin and wait for its response; removing what does not exist is no error.

        Raises:
            Undelivered: the broker does not respond, or refuses a command.
        """
        self._publish(CONTROL, json.dumps({"commands": commands}).encode())
        try:
            responses = self._answers.get(timeout=TIMEOUT_S)["responses"]
        except queue.Empty as error:
            raise Undelivered("the broker did not respond: is its dynamic-security plugin loaded?") from error
        errors = [
            f"{one['command']}: {one['error']}"
            for one in responses
            if "error" in one and not one["command"].startswith("delete")
        ]
        if errors:
            raise Undelivered(f"the broker refuses {'; '.join(errors)}")

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message; an empty payload deletes the retained message of the topic.

        Raises:
            Undelivered: the broker does not acknowledge it.
        """
        self._publish(topic, payload, retain=True)

    def end_session(self, client_id: str) -> None:
        """Delete the session of another client, if the listener lets this client take its client id."""
        if self._address.sets_client_id:
            _close(self._connect(client_id))

    def close(self) -> None:
        """Disconnect from the broker."""
        _close(self._client)

    def __enter__(self) -> "BrokerControl":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        until = time.monotonic() + TIMEOUT_S
        while (left_s := until - time.monotonic()) > 0:
            try:
                acknowledged, reason = self._acknowledged.get(timeout=left_s)
            except queue.Empty:
                break
            if acknowledged == mid and reason.is_failure:
                raise Undelivered(f"the broker refuses {topic}: {reason}")
            if acknowledged == mid:
                return
        raise Undelivered(f"the broker did not acknowledge {topic} within {TIMEOUT_S:.0f} s")

    def _connect(self, client_id: str) -> mqtt.Client:
        options = BrokerOptions(
            port=self._address.port,
            username=ADMIN,
            password_file=str(self._address.password_file),
            tls=True,
            ca_file=str(self._address.ca_file),
        )
        answered: queue.SimpleQueue[Any] = queue.SimpleQueue()
        where = f"broker on port {options.port}"
        try:
            client = make_client(mqtt.Client, options, client_id, keep_session=False, reconnect=False)
            client.on_connect = lambda *given: answered.put(given[3])
            client.connect(**connect_arguments(options, keep_session=False))
        except ssl.SSLError as error:
            raise Undelivered(
                f"{where}: {error}: it is not the broker of this folder, or runs with old files"
            ) from error
        except OSError as error:
            raise Undelivered(f"{where}: {error}") from error
        client.loop_start()
        try:
            reason = answered.get(timeout=TIMEOUT_S)
        except queue.Empty as error:
            _close(client)
            raise Undelivered(f"{where} did not answer within {TIMEOUT_S:.0f} s") from error
        if reason.is_failure:
            _close(client)
            raise Undelivered(f"{where} refuses {ADMIN}: {reason}: it is another broker, or runs with old files")
        return client

    def _on_message(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        self._answers.put(json.loads(message.payload))


def _close(client: mqtt.Client) -> None:
    client.disconnect()
    stop_network_thread(client)
