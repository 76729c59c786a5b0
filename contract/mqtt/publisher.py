"""MQTT publisher that waits for the broker's acknowledgement of each message."""

import threading
from typing import Any, Literal

import paho.mqtt.client as mqtt

from contract.errors import Undelivered
from contract.mqtt.connection import (
    BrokerOptions,
    connect_arguments,
    make_client,
    stop_network_thread,
)
from contract.mqtt.refusal import describe_refusal
from contract.mqtt.supervised_client import SupervisedClient
from contract.server_users import ServerUser


class ConfirmedPublisher:
    """MQTT publisher that sends one message at a time at QoS 1 and waits for its acknowledgement."""

    def __init__(
        self,
        options: BrokerOptions,
        will: tuple[str, bytes] | None = None,
        timeout_s: float = 10.0,
        user: ServerUser | Literal[""] = "",
    ) -> None:
        """Store the connection options; the first call of ``publish`` connects to the broker.

        Args:
            options: Options of the connection; the broker chooses the client id.
            will: Topic and payload that the broker publishes, retained, when the connection is lost.
            timeout_s: Time to wait for each answer of the broker, in seconds.
            user: User of this connection; see ``make_client``.
        """
        self._options, self._will, self._timeout_s, self._user = options, will, timeout_s, user
        self._client: mqtt.Client | None = None
        self._answered = threading.Event()
        self._connected = False
        self._problem = ""
        self._reasons: dict[int, Any] = {}  # reason code of the PUBACK by message id
        self._broker = f"broker {options.address}"

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and no disconnect was reported since."""
        return self._connected

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish a message and wait until the broker has acknowledged it.

        Raises:
            Undelivered: the broker did not acknowledge it in time, or refused it.
        """
        client = self._open()
        info = client.publish(topic, payload, qos=1, retain=retain)
        try:
            info.wait_for_publish(self._timeout_s)
            acknowledged = info.is_published()
        except (RuntimeError, ValueError) as error:
            self.close()
            raise Undelivered(f"{self._broker}: {error}") from error
        if not acknowledged:
            self.close()  # drops paho's queue: the caller sends the message again
            raise Undelivered(f"{self._broker} did not acknowledge within {self._timeout_s:.0f} s")
        reason = self._reasons.pop(info.mid, None)
        if reason is not None and reason.is_failure:
            raise Undelivered(
                f"{self._broker} refuses {topic}: {reason}. Check the permissions of {self._options.username!r}"
            )

    def close(self) -> None:
        """Disconnect from the broker; a second call does nothing."""
        if self._client is not None:
            self._client.disconnect()
            stop_network_thread(self._client)
            self._client, self._connected = None, False

    def _open(self) -> mqtt.Client:
        if self._client is not None and self._connected:
            return self._client
        self.close()
        self._answered.clear()
        self._problem = ""
        self._reasons.clear()
        try:
            client = self._make()
            client.connect(**connect_arguments(self._options, keep_session=False))
        except OSError as error:
            raise Undelivered(f"{self._broker}: {error}") from error
        client.loop_start()
        self._client = client
        self._answered.wait(self._timeout_s)
        if not self._connected:
            self.close()
            raise Undelivered(self._problem or f"{self._broker} did not answer within {self._timeout_s:.0f} s")
        return client

    def _make(self) -> mqtt.Client:
        client = make_client(SupervisedClient, self._options, client_id="", keep_session=False, user=self._user)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        self._connected = not reason.is_failure
        if reason.is_failure:
            self._problem = describe_refusal(self._options, reason)
        self._answered.set()

    def _on_disconnect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        self._connected = False

    def _on_publish(self, client: mqtt.Client, data: object, mid: int, reason: Any, _: object) -> None:
        self._reasons[mid] = reason
