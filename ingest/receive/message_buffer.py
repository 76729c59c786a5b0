"""Where messages wait between the broker and the store: live ones beside the backlog, and what is fresh goes first."""

import queue
import threading
from collections.abc import Sequence

import msgspec

from ingest.receive.batch import ReceivedMessage


class BufferedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message, and what acknowledging it takes; of QoS 0 there is nothing to acknowledge."""

    message: ReceivedMessage
    mid: int
    qos: int
    connection: int


class MessageBuffer:
    """Two queues: the session's messages in their order, and copies of live ones that overtake them."""

    def __init__(self, room: int, room_bytes: int) -> None:
        """Set how many messages, and bytes of them, may wait before whoever brings more has to wait too."""
        self._room = room
        self._room_bytes = room_bytes
        self._brought = self._taken = 0  # bytes of those in order; each has one thread that changes it
        self._in_order: queue.SimpleQueue[BufferedMessage | None] = queue.SimpleQueue()  # None only wakes
        self._live: queue.SimpleQueue[BufferedMessage] = queue.SimpleQueue()

    def put(self, some: Sequence[BufferedMessage], stopping: threading.Event) -> None:
        """Let messages wait; comes back when there is room, or when nothing is taken any more."""
        while self._full() and not stopping.wait(0.02):
            pass
        for waiting in some:
            self._brought += len(waiting.message.payload)
            self._in_order.put(waiting)

    def put_live(self, waiting: BufferedMessage) -> bool:
        """Let a copy of a live message overtake; False: there is no room, and it comes in its order."""
        if self._live.qsize() >= self._room:
            return False
        self._live.put(waiting)
        self._in_order.put(None)
        return True

    def next_batch(self, messages: int, size_bytes: int, patience_s: float) -> list[BufferedMessage]:
        """Take what waits, live ones first, without waiting for more than the first.

        While one batch is committed, the next one gathers by itself.
        """
        batch: list[BufferedMessage] = []
        size = 0
        try:
            first = self._in_order.get(timeout=patience_s)
        except queue.Empty:
            return batch
        while len(batch) < messages and (live := _next(self._live)):
            batch.append(live)
            size += len(live.message.payload)
        waiting = first
        while True:
            if waiting is not None:
                batch.append(waiting)
                size += len(waiting.message.payload)
                self._taken += len(waiting.message.payload)
            if len(batch) >= messages or size >= size_bytes:
                return batch
            try:
                waiting = self._in_order.get_nowait()
            except queue.Empty:
                return batch

    def drop_redelivered(self) -> None:
        """The broker sends again what it has no acknowledgement for; holding both would fill the memory."""
        kept = []
        while True:
            try:
                waiting = self._in_order.get_nowait()
            except queue.Empty:
                break
            if waiting is not None and waiting.qos == 0:
                kept.append(waiting)
            elif waiting is not None:
                self._brought -= len(waiting.message.payload)
        for waiting in kept:
            self._in_order.put(waiting)

    def _full(self) -> bool:
        return self._in_order.qsize() >= self._room or self._brought - self._taken >= self._room_bytes


def _next(live: "queue.SimpleQueue[BufferedMessage]") -> BufferedMessage | None:
    try:
        return live.get_nowait()
    except queue.Empty:
        return None
