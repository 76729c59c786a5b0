"""Interface of every message source, which delivers messages and acknowledges them once they are durable."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from ingest.receive.message_buffer import BufferedMessage, MessageBuffer

Acknowledge = Callable[[Sequence[BufferedMessage]], None]


class MessageSource(Protocol):
    """Interface of a source of stations' messages, such as an MQTT broker or a folder of bundles.

    A source gives up its own copy of a message only after ``acknowledge`` has named it, so that a server that is killed
    gets the message again. Several sources deliver to one buffer; each recognises its own messages by the ``mid``,
    ``qos`` and ``connection`` that it set itself. A source is paused by ``MessageBuffer.put``, which returns only when
    the buffer has room.
    """

    @property
    def connected(self) -> bool:
        """Whether messages can arrive now."""
        ...

    @property
    def problem(self) -> str:
        """Reason why no messages arrive, as text; empty if there is no problem."""
        ...

    @property
    def idle_s(self) -> float:
        """Seconds for which the source has been idle; 0 if the source is busy or disconnected.

        A source is busy while a delivered message is not acknowledged.
        """
        ...

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        """Start to deliver messages to the buffer, now or as soon as the remote side is reachable.

        Args:
            buffer: Buffer to which the messages are delivered.
            stopping: Set when the pipeline stops; the source then stops waiting for room or acknowledgements.
            answer_s: Longest time in seconds to wait for the first response of the remote side.

        Raises:
            WildpostError: the remote side has refused this server; retrying cannot help.
        """
        ...

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Acknowledge messages that are durable, in the order in which they were delivered.

        Called by one thread at a time with the messages of all sources, and without any about five times a second
        while there is nothing to do.
        """
        ...

    def stop(self) -> None:
        """Stop the source, after ``stopping`` was set and the last batch was acknowledged.

        This is harmless if the source was never started.
        """
        ...
