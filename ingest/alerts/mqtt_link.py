"""A link to the broker for what the server itself says: a message counts as sent when the broker acknowledged it."""

import threading
from typing import Any

import paho.mqtt.client as mqtt

from ingest.alerts.port import Undelivered
from ingest.receive.mqtt.options import ReceiverOptions, connect_options, describe_refusal, make_client


class MqttLink:
    """Publishes at QoS 1, one message after the other; connects when there is something to say."""

    def __init__(self, broker: ReceiverOptions, will: tuple[str, bytes] | None = None, answer_s: float = 10.0) -> None:
        """Prepare.

        Args:
            broker: Where it is, and who we are; the client id is the broker's to choose.
            will: Topic and payload that the broker publishes, retained, when we are gone.
            answer_s: How long to wait for the broker's word.
        """
        self._broker, self._will, self._answer_s = broker, will, answer_s
        self._client: mqtt.Client | None = None
        self._answered = threading.Event()
        self._connected = False
        self._problem = ""
        self._reasons: dict[int, Any] = {}
        self._where = f"broker {broker.host}:{broker.port}"

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and we know of no break since."""
        return self._connected

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish; returns when the broker has it.

        Raises:
            Undelivered: it does not, or refused it.
        """
        client = self._open()
        info = client.publish(topic, payload, qos=1, retain=retain)
        try:
            info.wait_for_publish(self._answer_s)
            acknowledged = info.is_published()
        except (RuntimeError, ValueError) as error:
            self.close()
            raise Undelivered(f"{self._where}: {error}") from error
        if not acknowledged:
            self.close()  # with its queue: whoever called sends it again
            raise Undelivered(f"{self._where} did not acknowledge within {self._answer_s:.0f} s")
        reason = self._reasons.pop(info.mid, None)
        if reason is not None and reason.is_failure:
            raise Undelivered(f"{self._where} refuses {topic}: {reason}. Check the rights of {self._broker.username!r}")

    def close(self) -> None:
        """Leave the broker; calling it twice is harmless."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
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
            client.connect(
                self._broker.host,
                self._broker.port,
                self._broker.keepalive_s,
                **connect_options(self._broker, keep_session=False),
            )
        except OSError as error:
            raise Undelivered(f"{self._where}: {error}") from error
        client.loop_start()
        self._client = client
        self._answered.wait(self._answer_s)
        if not self._connected:
            self.close()
            raise Undelivered(self._problem or f"{self._where} did not answer within {self._answer_s:.0f} s")
        return client

    def _make(self) -> mqtt.Client:
        client = make_client(mqtt.Client, self._broker, client_id="", keep_session=False)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        self._connected = not reason.is_failure
        if reason.is_failure:
            self._problem = describe_refusal(self._broker, reason)
        self._answered.set()

    def _on_disconnect(self, client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        self._connected = False

    def _on_publish(self, client: mqtt.Client, data: object, mid: int, reason: Any, _: object) -> None:
        self._reasons[mid] = reason
