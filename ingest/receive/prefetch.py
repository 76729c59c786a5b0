"""Decodes the next batch of messages while the previous one is being stored."""

import queue
import threading
from collections.abc import Sequence

from ingest.receive.batch import Batch, read_batch
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions


class Prefetcher:
    """A thread that keeps one decoded batch ready; databases run outside Python, so decoding need not wait."""

    def __init__(self, waiting: MessageBuffer, options: ReceiverOptions, stopping: threading.Event) -> None:
        """Create a thread that takes messages from a buffer until ``stopping`` is set."""
        self._waiting = waiting
        self._options = options
        self._stopping = stopping
        self._room = threading.Semaphore(1)  # for one ready batch
        self._ready: queue.SimpleQueue[tuple[Sequence[BufferedMessage], Batch]] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reading", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def next(self, patience_s: float) -> tuple[Sequence[BufferedMessage], Batch] | None:
        """Return the next batch; None if none is ready within ``patience_s`` seconds.

        Raises:
            BaseException: the unexpected exception that ended the thread.
        """
        if self._failure is not None:
            raise self._failure
        try:
            found = self._ready.get(timeout=patience_s)
        except queue.Empty:
            return None
        self._room.release()
        return found

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._room.acquire(timeout=0.2):
                    continue
                # Not earlier: until a batch can be handed over, more messages accumulate for it.
                some = self._waiting.next_batch(self._options.batch_messages, self._options.batch_bytes, 0.2)
                if some:
                    self._ready.put((some, read_batch([one.message for one in some])))
                else:
                    self._room.release()
        except BaseException as failure:
            self._failure = failure
            raise
