"""Batches at whose messages the server fails: unacknowledged, and retried with back-off."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.receive.isolation import ServerFault
from ingest.receive.message_buffer import BufferedMessage

LOG = logging.getLogger("wildpost.intake")


@dataclass(slots=True)
class ParkedBatch:
    """A batch that waits for a retry.

    Attributes:
        messages: Its messages; none is acknowledged.
        fault: Why it is parked.
        successes: ``FailureRecord.successes`` of the kind when it was parked.
        refuted: Whether a message of the kind has succeeded since, so that the fault is not the server's.
        in_retry: Whether a thread is retrying it.
    """

    messages: Sequence[BufferedMessage]
    fault: ServerFault
    successes: int
    refuted: bool = False
    in_retry: bool = False

    @property
    def kind(self) -> str:
        """Kind of the messages that fail."""
        return self.fault.kind


class ParkedBatches:
    """Queue of the parked batches, for several worker threads."""

    def __init__(self, first_pause_s: float, longest_pause_s: float) -> None:
        """Create an empty queue; the pause between retries doubles from the first to the longest."""
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._lock = threading.Lock()
        self._waiting: list[ParkedBatch] = []
        self._pause_s = first_pause_s
        self._retry_at = 0.0

    @property
    def messages(self) -> int:
        """Number of parked messages."""
        return sum(len(one.messages) for one in list(self._waiting))

    @property
    def problem(self) -> str:
        """Description of the newest fault; "" if nothing is parked."""
        with self._lock:
            if not self._waiting:
                return ""
            return f"messages are not acknowledged, and retried: {self._waiting[-1].fault}"

    def add(self, messages: Sequence[BufferedMessage], fault: ServerFault, successes: int) -> None:
        """Park a batch."""
        with self._lock:
            if not self._waiting:
                LOG.error("%s: nothing is set aside for it, and nothing acknowledged; retrying", fault)
                self._pause_s = self._first_pause_s
                self._retry_at = time.monotonic() + self._pause_s
            self._waiting.append(ParkedBatch(messages, fault, successes))

    def take(self, successes: Callable[[str], int]) -> ParkedBatch | None:
        """Return a batch that may be retried now; the caller must call ``remove`` or ``put_back`` afterwards."""
        if not self._waiting:
            return None
        with self._lock:
            for number, one in enumerate(self._waiting):
                one.refuted = successes(one.kind) > one.successes
                due = number == 0 and time.monotonic() >= self._retry_at
                if not one.in_retry and (one.refuted or due):
                    one.in_retry = True
                    return one
        return None

    def remove(self, batch: ParkedBatch) -> None:
        """Remove a batch whose retry succeeded; the next one is retried at once."""
        with self._lock:
            self._waiting.remove(batch)
            self._pause_s, self._retry_at = self._first_pause_s, 0.0

    def put_back(self, batch: ParkedBatch, fault: ServerFault, successes: int) -> None:
        """Keep a batch whose retry failed; the pause before the next retry is longer."""
        with self._lock:
            batch.fault, batch.successes, batch.in_retry = fault, successes, False
            self._pause_s = min(2 * self._pause_s, self._longest_pause_s)
            self._retry_at = time.monotonic() + self._pause_s
