"""Redelivery of recently acknowledged messages, since a broker that is killed loses those it has not saved."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from edge.outbox.outbox import Outbox

_BATCH_S = 1.0  # messages acknowledged within this time are deleted together: each transaction waits for the disk


class Redelivery:
    """Decides when an acknowledged message may be deleted from the outbox; for use by one thread.

    Mosquitto acknowledges first and saves later (``autosave_interval``), as other brokers do. If the connection lasts
    for ``keep_s`` after the acknowledgement, the broker was running and has saved the message. If it breaks earlier,
    the broker may have been killed, and the message is sent again: the server recognises duplicates by their id.
    """

    def __init__(self, outbox: Outbox, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Store the outbox; with ``keep_s`` 0, messages are deleted when they are acknowledged."""
        self._outbox = outbox
        self._keep_s = keep_s
        self._clock = clock
        self._new: list[int] = []
        self._kept: deque[tuple[float, list[int]]] = deque()

    @property
    def unrecorded(self) -> Sequence[int]:
        """Numbers of acknowledged messages that are not yet recorded in the outbox."""
        return self._new

    def acknowledge(self, number: int) -> None:
        """Remember the number of an acknowledged message until ``flush`` records it."""
        self._new.append(number)

    def flush(self) -> None:
        """Record acknowledgements in the outbox and delete messages older than ``keep_s`` from it.

        Raises:
            OutboxFull: the disk is full; nothing is lost, retry later.
        """
        if self._new and self._keep_s:
            self._outbox.acknowledge(self._new)
            self._kept.append((self._clock(), self._new))
            self._new = []
        elif self._new:
            self._outbox.forget(self._new)
            self._new = []
        if self._kept and self._clock() - self._kept[0][0] > self._keep_s + _BATCH_S:
            old = [numbers for at, numbers in self._kept if self._clock() - at > self._keep_s]
            self._outbox.forget([number for numbers in old for number in numbers])
            for _ in old:
                self._kept.popleft()

    def connection_lost(self) -> int:
        """Queue all acknowledged messages that are still in the outbox once more; return their number.

        Raises:
            OutboxFull: the disk is full; nothing is lost, retry later.
        """
        again = self._outbox.send_again()
        self._kept.clear()
        return again
