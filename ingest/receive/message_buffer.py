"""Bounded buffer of received messages, in which live messages (of recent captures) overtake the backlog."""

import queue
import threading
from collections.abc import Sequence

import msgspec

from ingest.receive.batch import ReceivedMessage


class BufferedMessage(msgspec.Struct, frozen=True, gc=False):
    """A received message, with the packet id and connection that are needed to acknowledge the message.

    A message of QoS 0 needs no acknowledgement.
    """

    message: ReceivedMessage
    mid: int
    qos: int
    connection: int


class MessageBuffer:
    """Two queues of received messages: all messages in order, and copies of live messages to process first."""

    def __init__(self, room: int, room_bytes: int) -> None:
        """Create a buffer that counts as full at ``room`` messages or ``room_bytes`` bytes."""
        self._room = room
        self._room_bytes = room_bytes
        self._brought = self._taken = 0  # bytes put into and taken from the ordered queue; one thread takes
        self._bringing = threading.Lock()  # guards the first, since every source puts
        self._in_order: queue.SimpleQueue[BufferedMessage | None] = queue.SimpleQueue()  # None is a wake-up sentinel
        self._live: queue.SimpleQueue[BufferedMessage] = queue.SimpleQueue()

    def put(self, some: Sequence[BufferedMessage], stopping: threading.Event) -> None:
        """Append messages to the ordered queue; block while the buffer is full and ``stopping`` is not set."""
        while self._full() and not stopping.wait(0.02):
            pass
        size = sum([len(waiting.message.payload) for waiting in some])
        with self._bringing:
            self._brought += size
        for waiting in some:
            self._in_order.put(waiting)

    def put_live(self, waiting: BufferedMessage) -> bool:
        """Queue a copy of a live message ahead of the backlog; return False if the live queue is full."""
        if self._live.qsize() >= self._room:
            return False
        self._live.put(waiting)
        self._in_order.put(None)
        return True

    def next_batch(self, messages: int, size_bytes: int, patience_s: float) -> list[BufferedMessage]:
        """Remove and return buffered messages, live ones first; wait up to ``patience_s`` seconds for the first.

        It does not wait for a full batch: while one batch is committed, messages for the next accumulate.
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
        """Drop the buffered messages above QoS 0, because the broker will redeliver them.

        Otherwise two copies of each message would fill the memory.
        """
        kept = []
        while True:
            try:
                waiting = self._in_order.get_nowait()
            except queue.Empty:
                break
            if waiting is not None and waiting.qos == 0:
                kept.append(waiting)
            elif waiting is not None:
                with self._bringing:
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
