"""What every way of telling people offers; one contract suite runs against each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from casebook.incidents.repository import Alert
from contract.errors import TemporaryFailure


class AttachmentPending(TemporaryFailure):
    """Something that belongs to the message is still on its way: try again at once."""


@dataclass(frozen=True, slots=True)
class MessageText:
    """A message in one language: one line, and the whole."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture that goes with a message."""

    data: bytes
    type: str


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told.

    Attributes:
        alert: Why.
        words: By language, zh_CN and en.
        link: Where it can be looked at; "": nowhere.
        pictures: By how much of people can be seen: "plain", "blurred"; empty where there is none.
        record: The same for programs, as JSON takes it.
    """

    alert: Alert
    words: Mapping[str, MessageText]
    link: str
    pictures: Mapping[str, Attachment]
    record: Mapping[str, Any]


class Notifier(Protocol):
    """One way of telling people."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        ...

    @property
    def picture(self) -> str:
        """Which picture it sends: "plain", "blurred" or "none"."""
        ...

    def send(self, message: Message) -> None:
        """Tell them; returns when the message is out of our hands.

        Raises:
            Undelivered: it did not go out; sending it again later is right.
        """
        ...

    def close(self) -> None:
        """Let go of connections; calling it twice is harmless."""
        ...
