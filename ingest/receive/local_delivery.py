"""Delivery of messages that this machine has on disk, and the wait until they are durable."""

import threading
from collections.abc import Sequence

from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer


class LocalDelivery:
    """Delivers messages of one source to the buffer, and counts those that are not durable yet; thread-safe.

    Attributes:
        unacknowledged: Number of delivered messages that are not durable yet.
    """

    def __init__(self, connection: int) -> None:
        """Create a delivery; ``connection`` marks its messages, a negative number of its own: brokers count upwards."""
        self._connection = connection
        self._changed = threading.Condition()  # guards the field below
        self.unacknowledged = 0

    def put(self, messages: Sequence[ReceivedMessage], buffer: MessageBuffer, stopping: threading.Event) -> None:
        """Append messages to the buffer; block while it is full and ``stopping`` is not set."""
        with self._changed:
            self.unacknowledged += len(messages)
        # QoS 0: no broker will deliver these again, so they stay in the buffer when a connection is made anew.
        buffer.put([BufferedMessage(one, 0, 0, self._connection) for one in messages], stopping)

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Count the messages of this source in a batch as durable; see ``MessageSource.acknowledge``."""
        if not self.unacknowledged:
            return
        if mine := sum(one.connection == self._connection for one in batch):
            with self._changed:
                self.unacknowledged -= mine
                self._changed.notify_all()

    def wait(self, but: int, stopping: threading.Event) -> bool:
        """Wait until at most ``but`` messages are not durable; return False if ``stopping`` is set before."""
        with self._changed:
            while self.unacknowledged > but:
                if stopping.is_set():
                    return False
                self._changed.wait(0.2)
        return True
