"""Notifier for programs such as sirens or Node-RED: publishes each alert as JSON on ``<prefix>/alerts/<severity>``."""

from typing import Annotated

import msgspec

from contract.mqtt.publisher import ConfirmedPublisher
from ingest.alerts.port import Message
from ingest.receive.mqtt.options import ReceiverOptions


class MqttAlertOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the alert topic, on the broker that the stations use.

    Attributes:
        enabled: Whether alerts are published.
        name: Name in the log and in the alert queue.
    """

    enabled: bool = False
    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,60}\Z")] = "mqtt"


class MqttNotifier:
    """Publishes alerts on the alert topic. See ``Notifier`` for the contract."""

    def __init__(self, options: MqttAlertOptions, broker: ReceiverOptions) -> None:
        """Create the publisher; it connects at the first alert."""
        self._options = options
        self._prefix = broker.prefix
        self._link = ConfirmedPublisher(broker)

    @property
    def name(self) -> str:
        """See ``Notifier.name``."""
        return self._options.name

    @property
    def picture(self) -> str:
        """See ``Notifier.picture``; none, since a program can follow the link."""
        return "none"

    def send(self, message: Message) -> None:
        """See ``Notifier.send``."""
        # Two levels below the prefix; station topics have three, so no server takes this for a station message.
        self._link.publish(f"{self._prefix}/alerts/{message.alert.severity}", msgspec.json.encode(message.record))

    def close(self) -> None:
        """See ``Notifier.close``."""
        self._link.close()
