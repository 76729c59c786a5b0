"""Tells programs: each alert as JSON on ``<prefix>/alerts/<severity>``, for sirens, Node-RED, a control room."""

from typing import Annotated

import msgspec

from contract.mqtt.publisher import ConfirmedPublisher
from ingest.alerts.port import Message
from ingest.receive.mqtt.options import ReceiverOptions


class MqttAlertOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts on a topic of the broker that the stations send to.

    Attributes:
        enabled: Whether.
        name: What the log calls it.
    """

    enabled: bool = False
    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,60}\Z")] = "mqtt"


class MqttNotifier:
    """The alert topic. See ``Notifier`` for the contract."""

    def __init__(self, options: MqttAlertOptions, broker: ReceiverOptions) -> None:
        """Prepare; the broker is asked when there is an alert."""
        self._options = options
        self._prefix = broker.prefix
        self._link = ConfirmedPublisher(broker)

    @property
    def name(self) -> str:
        """See ``Notifier.name``."""
        return self._options.name

    @property
    def picture(self) -> str:
        """See ``Notifier.picture``: none, a program follows the link."""
        return "none"

    def send(self, message: Message) -> None:
        """See ``Notifier.send``."""
        # Two levels below the prefix: what stations say has three, and no server takes this for one of them.
        self._link.publish(f"{self._prefix}/alerts/{message.alert.severity}", msgspec.json.encode(message.record))

    def close(self) -> None:
        """See ``Notifier.close``."""
        self._link.close()
