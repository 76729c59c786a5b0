"""What the broker acknowledged a moment ago: kept, since a broker that is killed forgets what it has not saved yet."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from edge.outbox.outbox import Outbox

_AT_ONCE_S = 1.0  # messages that are forgotten in one go: each transaction waits for the disk


class Redelivery:
    """Decides when an acknowledged message may be forgotten; for one thread.

    Mosquitto answers first and saves later (``autosave_interval``), and other brokers do alike. Where the line held for
    ``keep_s`` after the answer, the broker lived, and has saved. Where it broke before, the broker may have been
    killed, and the message is sent once more: the server knows it by its id, should it come twice.
    """

    def __init__(self, outbox: Outbox, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold the outbox; ``keep_s`` of 0 forgets at once."""
        self._outbox = outbox
        self._keep_s = keep_s
        self._clock = clock
        self._new: list[int] = []
        self._kept: deque[tuple[float, list[int]]] = deque()

    @property
    def unrecorded(self) -> Sequence[int]:
        """Numbers of messages of which the outbox does not know yet that they were acknowledged."""
        return self._new

    def add(self, number: int) -> None:
        """Take the number of a message that the broker has acknowledged; ``note`` tells the outbox."""
        self._new.append(number)

    def note(self) -> None:
        """Tell the outbox what was acknowledged, and have it forget what is old enough.

        Raises:
            OutboxFull: even that needs a little room; nothing is lost, call it again later.
        """
        if self._new and self._keep_s:
            self._outbox.acknowledge(self._new)
            self._kept.append((self._clock(), self._new))
            self._new = []
        elif self._new:
            self._outbox.forget(self._new)
            self._new = []
        if self._kept and self._clock() - self._kept[0][0] > self._keep_s + _AT_ONCE_S:
            old = [numbers for at, numbers in self._kept if self._clock() - at > self._keep_s]
            self._outbox.forget([number for numbers in old for number in numbers])
            for _ in old:
                self._kept.popleft()

    def connection_lost(self) -> int:
        """Have what is not forgotten yet sent once more; tells how many messages.

        Raises:
            OutboxFull: even that needs a little room; nothing is lost, call it again later.
        """
        again = self._outbox.send_again()
        self._kept.clear()
        return again
