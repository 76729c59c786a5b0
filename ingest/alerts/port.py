"""Interface of every notifier, and the message types; one contract suite runs against each notifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from casebook.incidents.repository import Alert
from contract.errors import TemporaryFailure


class AttachmentPending(TemporaryFailure):
    """An attachment of the message has not arrived yet; retry without back-off."""


@dataclass(frozen=True, slots=True)
class MessageText:
    """The text of a message in one language: a title of one line, and the body."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture attached to a message, with its media type."""

    data: bytes
    type: str


@dataclass(frozen=True, slots=True)
class Message:
    """The content of an alert, for every notifier.

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
    """Delivers messages by one channel."""

    @property
    def name(self) -> str:
        """Name in the log and in the alert queue."""
        ...

    @property
    def picture(self) -> str:
        """Kind of picture it sends: "plain", "blurred" or "none"."""
        ...

    def send(self, message: Message) -> None:
        """Send a message and return once the service has accepted it.

        Raises:
            Undelivered: the service did not accept it; the caller retries later.
        """
        ...

    def close(self) -> None:
        """Close the connections; idempotent."""
        ...
