"""State of a batch that a worker thread is processing."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.intake import StoredBatch
from ingest.receive.batch import Batch
from ingest.receive.message_buffer import BufferedMessage


@dataclass(slots=True)
class BatchWork:
    """A batch that a worker thread has drawn, and how far it is; the thread continues there after a failure.

    Attributes:
        number: Its place in the order of arrival.
        messages: Its messages.
        batch: The decoded batch; None: it is processed message by message.
        began: When it was drawn, by the monotonic clock.
        stored: Result of the first step.
        concluded: Whether both steps are done.
        parked: Whether its messages must not be acknowledged, because the server fails at all of them.
    """

    number: int
    messages: Sequence[BufferedMessage]
    batch: Batch | None
    began: float
    stored: StoredBatch | None = None
    concluded: bool = False
    parked: bool = False
