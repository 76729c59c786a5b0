"""Results of examining one capture, to be stored in the outbox."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from contract import Event
from edge.capture.visits import Visit
from edge.outbox.message import OutboxMessage


class Findings(NamedTuple):
    """Results of examining one capture, which are stored in one transaction; empty if the trigger skipped it.

    Attributes:
        event: What the station saw or heard.
        priority: Priority of the event's message.
        media: Message with its thumbnail or clip.
        visit: New state of its visit.
        voices: Increments of the voice policy counters.
        memory: Values to remember by name.
    """

    event: Event | None = None
    priority: int = 1
    media: Sequence[OutboxMessage] = ()
    visit: Visit | None = None
    voices: Mapping[str, int] = MappingProxyType({})
    memory: Mapping[str, str] = MappingProxyType({})
