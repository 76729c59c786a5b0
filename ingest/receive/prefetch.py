"""Reads the next batch of messages while the one before it is being kept."""

import queue
import threading
from collections.abc import Sequence

from ingest.receive.batch import Batch, read_batch
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions


class Prefetcher:
    """A thread that holds one batch ready: the databases work outside of Python, and reading need not wait for them."""

    def __init__(self, waiting: MessageBuffer, options: ReceiverOptions, stopping: threading.Event) -> None:
        """Prepare to take from a waiting room, until it is said to stop."""
        self._waiting = waiting
        self._options = options
        self._stopping = stopping
        self._room = threading.Semaphore(1)  # for one batch that is ready
        self._ready: queue.SimpleQueue[tuple[Sequence[BufferedMessage], Batch]] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reading", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def next(self, patience_s: float) -> tuple[Sequence[BufferedMessage], Batch] | None:
        """Take the batch that is ready, or that becomes ready soon; None: there is none yet.

        Raises:
            BaseException: what ended the thread, a fault of ours.
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
                # Only now, so that the batch grows for as long as nobody could take it.
                some = self._waiting.next_batch(self._options.batch_messages, self._options.batch_bytes, 0.2)
                if some:
                    self._ready.put((some, read_batch([one.message for one in some])))
                else:
                    self._room.release()
        except BaseException as failure:
            self._failure = failure
            raise
