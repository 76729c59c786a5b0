"""Interface of every alert notifier, and the message types that notifiers send.

One contract suite of tests runs against each notifier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from casebook.incidents.repository import Alert
from contract.errors import TemporaryFailure


class AttachmentPending(TemporaryFailure):
    """Error raised if the picture for a message has not arrived yet; the delivery is retried without back-off."""


@dataclass(frozen=True, slots=True)
class MessageText:
    """The text of an alert message in one language: a one-line title and a body."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture attached to an alert message, with its media type."""

    data: bytes
    type: str


@dataclass(frozen=True, slots=True)
class Message:
    """The content of an alert message, which is the same for every notifier.

    Attributes:
        alert: The alert.
        words: Texts by language, zh_CN and en.
        link: URL of the incident page; "": no link.
        pictures: Pictures by kind, "plain" or "blurred"; empty if there is none.
        record: The same content for programs, as a JSON object.
    """

    alert: Alert
    words: Mapping[str, MessageText]
    link: str
    pictures: Mapping[str, Attachment]
    record: Mapping[str, Any]


class Notifier(Protocol):
    """Interface of a service that delivers alert messages, such as mail or MQTT."""

    @property
    def name(self) -> str:
        """Name of the notifier in the log and in the alert queue."""
        ...

    @property
    def picture(self) -> str:
        """Kind of picture that the notifier attaches: "plain", "blurred" or "none"."""
        ...

    def send(self, message: Message) -> None:
        """Send an alert message and return once the service has accepted the message.

        Raises:
            Undelivered: the service did not accept it; the caller retries later.
        """
        ...

    def close(self) -> None:
        """Close the notifier's connections; idempotent."""
        ...
