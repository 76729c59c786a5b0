"""What every message source does: it delivers messages to the intake and learns which of them are durable."""

import threading
from collections.abc import Sequence
from typing import Protocol

from ingest.receive.message_buffer import BufferedMessage, MessageBuffer


class MessageSource(Protocol):
    """Delivers stations' messages, from ``start`` to ``stop``.

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
        """Why no messages arrive, in words; "": nothing is wrong."""
        ...

    @property
    def idle_s(self) -> float:
        """Seconds since the last delivered message was acknowledged; 0: some are not, or it is not connected."""
        ...

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        """Begin to deliver, now or as soon as the other side is reachable.

        Args:
            buffer: Where to deliver.
            stopping: Set when the pipeline ends; a source that waits for room or for an acknowledgement gives up then.
            answer_s: How long to wait for the other side's first answer at most.

        Raises:
            WildpostError: the other side has refused this server; retrying cannot help.
        """
        ...

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Take note that messages are durable, in the order in which they were delivered.

        Called by one thread at a time with the messages of all sources, and without any about five times a second
        while there is nothing to do.
        """
        ...

    def stop(self) -> None:
        """End, after ``stopping`` was set and the last batch was acknowledged; harmless if it was never started."""
        ...
