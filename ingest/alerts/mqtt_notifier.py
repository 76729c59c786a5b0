"""Notifier that publishes each alert as JSON on ``<prefix>/alerts/<severity>``, for sirens or Node-RED."""

from typing import Annotated

import msgspec

from contract.mqtt import OwnCredentials
from contract.mqtt.publisher import ConfirmedPublisher
from ingest.alerts.port import Message
from ingest.receive.mqtt.options import ReceiverOptions


class MqttAlertOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the notifier that publishes alerts to the MQTT broker of the stations.

    Attributes:
        enabled: Whether alerts are published.
        name: Name in the log and in the alert queue.
        credentials: Broker user of this connection, if it is not the one of [broker].
    """

    enabled: bool = False
    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,60}\Z")] = "mqtt"
    credentials: OwnCredentials = OwnCredentials()


class MqttNotifier:
    """Notifier that publishes alerts over MQTT; implements ``Notifier``."""

    def __init__(self, options: MqttAlertOptions, broker: ReceiverOptions) -> None:
        """Create the MQTT publisher, which connects to the broker at the first alert."""
        self._options = options
        self._prefix = broker.prefix
        self._link = ConfirmedPublisher(options.credentials.applied_to(broker), user="wildpost-alerts")

    @property
    def name(self) -> str:
        """Name of the MQTT notifier; see ``Notifier.name``."""
        return self._options.name

    @property
    def picture(self) -> str:
        """Kind of picture, always "none"; see ``Notifier.picture``.

        A subscriber finds the picture through the link in the message.
        """
        return "none"

    def send(self, message: Message) -> None:
        """Publish an alert on the topic of its severity; see ``Notifier.send``."""
        # Two levels below the prefix; station topics have three, so no server takes this for a station message.
        self._link.publish(f"{self._prefix}/alerts/{message.alert.severity}", msgspec.json.encode(message.record))

    def close(self) -> None:
        """Disconnect the publisher from the broker; see ``Notifier.close``."""
        self._link.close()
