"""Detection of another client with the same name: when one connects, the broker ends the connection of the other."""

import random
import time
from collections.abc import Callable

_SOON_S = 10.0
_OFTEN = 3
_LONGEST_DOUBLING = 10  # 1,024 s; longer than any sensible ``reconnect_max_s``
_STEADY_PAUSES = 4  # the other client's pause is at most twice this one's, and half of that longer by chance
_STEADY_MIN_S = 30.0


class Takeovers:
    """Counts connections that were taken over, and gives the pause before the next attempt to connect.

    Two stations with one name would otherwise take the connection from each other every second. With growing pauses of
    random length each holds it for some minutes, in which it sends what waits.
    """

    def __init__(
        self,
        longest_pause_s: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Store the longest pause in seconds; ``chance`` returns a random number between two numbers."""
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._chance = chance
        self._count = 0
        self._accepted_at: float | None = None  # None: there is no connection
        self._contested = False

    @property
    def contested(self) -> bool:
        """Whether another client takes over the connection again and again."""
        return self._contested

    def accepted(self) -> None:
        """Record that the broker accepted a connection."""
        self._accepted_at = self._clock()

    def lost(self, taken_over: bool, explained: bool = False) -> float:
        """Record that a connection broke, and return the pause before the next attempt in seconds.

        Args:
            taken_over: Whether the broker said that another client took it over. Many brokers say nothing; then a
                connection that broke soon counts, and after it each that did not hold for longer than both pause.
            explained: Whether there was another reason, such as a refused message or a link that went silent.
        """
        if self._accepted_at is None:
            return self._pause_s()
        lasted_s, self._accepted_at = self._clock() - self._accepted_at, None
        limit_s = self._steady_s if self._count else _SOON_S
        if taken_over or (lasted_s < limit_s and not explained):
            self._count += 1
        else:
            self._count, self._contested = 0, False
        self._contested = self._contested or self._count >= _OFTEN
        return self._pause_s()

    def resolved(self) -> bool:
        """Return True once when the connection has held so long that the other client must be gone."""
        if not self._contested or self._accepted_at is None or self._clock() - self._accepted_at < self._steady_s:
            return False
        self._count, self._contested = 0, False
        return True

    @property
    def _steady_s(self) -> float:
        return max(_STEADY_MIN_S, _STEADY_PAUSES * self._doubled_s)

    @property
    def _doubled_s(self) -> float:
        """Pause that doubles with each takeover, before it is varied by chance."""
        return min(2.0 ** min(self._count, _LONGEST_DOUBLING), self._longest_pause_s)

    def _pause_s(self) -> float:
        return self._doubled_s * self._chance(0.5, 1.5) if self._count else min(1.0, self._doubled_s)


def contest_problem(station: str, address: str, longest_pause_s: float) -> str:
    """Return the description of a connection that another client takes over again and again."""
    return (
        f"another client takes over the connection of station {station!r} to {address} again and again. Is another "
        f"station {station!r} running? Give each a name of its own; pausing up to {longest_pause_s:g} s "
        "between attempts"
    )
