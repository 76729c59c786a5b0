"""Message of the outbox, and the worth of media, by which they are deleted when the quota is reached."""

from dataclasses import dataclass
from typing import Literal

Worth = Literal[0, 1, 2, 3]
BLANK: Worth = 0  # of a capture without detections
LOW: Worth = 1  # of uncertain detections, or not the best of its visit
NORMAL: Worth = 2
HIGH: Worth = 3  # of people and vehicles


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """An MQTT message for the outbox, with its priority.

    Attributes:
        topic: MQTT topic.
        payload: Encoded message.
        priority: Lower is sent first: 0 people and vehicles, 1 other detections, 2 health and other reports, 3 media,
            4 media of blank captures and those that are not the best of their visit.
        media: Whether it may be deleted when the disk quota is reached; other messages never are.
        number: Row number in the outbox; 0 before the message is stored.
        worth: Media of lower worth are deleted first.
    """

    topic: str
    payload: bytes
    priority: int = 0
    media: bool = False
    number: int = 0
    worth: Worth = NORMAL
