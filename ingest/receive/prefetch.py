"""Thread that decodes the next batch of messages while the previous batch is being stored."""

import queue
import threading
from collections.abc import Sequence
from typing import NamedTuple

from contract.supervision import SupervisedThread, Supervisor
from ingest.receive.batch import Batch, read_batch
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions


class PrefetchedBatch(NamedTuple):
    """Messages taken from the buffer, and their decoded batch; None if the server failed at one of the messages."""

    messages: Sequence[BufferedMessage]
    batch: Batch | None


class Prefetcher:
    """Thread that keeps one decoded batch ready for the worker threads.

    Database drivers release Python's lock, so decoding can run while a batch is being stored.
    """

    def __init__(
        self,
        waiting: MessageBuffer,
        options: ReceiverOptions,
        stopping: threading.Event,
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create a thread that takes messages from a buffer until ``stopping`` is set; see ``start``."""
        self._waiting = waiting
        self._options = options
        self._room = threading.Semaphore(1)  # for one ready batch
        self._has_room = False
        self._ready: queue.SimpleQueue[PrefetchedBatch] = queue.SimpleQueue()
        self._thread = SupervisedThread("reading", self._step, supervisor, stopping, daemon=True)

    def start(self) -> None:
        """Start the decoding thread."""
        self._thread.start()

    def next(self, patience_s: float) -> PrefetchedBatch | None:
        """Return the next decoded batch; None if no batch is ready within ``patience_s`` seconds."""
        try:
            found = self._ready.get(timeout=patience_s)
        except queue.Empty:
            return None
        self._room.release()
        return found

    def _step(self) -> float:
        self._has_room = self._has_room or self._room.acquire(timeout=0.2)
        if self._has_room:
            # Not earlier: until a batch can be handed over, more messages accumulate for it.
            some = self._waiting.next_batch(self._options.batch_messages, self._options.batch_bytes, 0.2)
            if some:
                self._ready.put(PrefetchedBatch(some, _read(some)))
                self._has_room = False
        return 0.0


def _read(some: Sequence[BufferedMessage]) -> Batch | None:
    try:
        return read_batch([one.message for one in some])
    except Exception:  # noqa: BLE001, a worker thread finds and reports the message
        return None
