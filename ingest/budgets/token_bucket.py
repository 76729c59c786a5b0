"""Token buckets by station, which limit how often something may happen."""

import time
from collections.abc import Callable

from ingest.budgets.options import MAX_STATIONS


class TokenBuckets:
    """One token bucket for each station, full at first; not thread-safe."""

    def __init__(self, rate_hz: float, capacity: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the buckets.

        Args:
            rate_hz: Tokens added each second.
            capacity: Most tokens of a bucket.
            clock: Monotonic clock in seconds: a step of the wall clock must not refill a bucket.
        """
        self._rate_hz = rate_hz
        self._capacity = capacity
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and the time at which they were counted

    def take(self, station: str, tokens: float = 1.0) -> bool:
        """Take tokens from a station's bucket; return False, and take none, if it has too few."""
        now = self._clock()
        if station not in self._buckets and len(self._buckets) >= MAX_STATIONS:
            self._forget_full(now)
            station = station if len(self._buckets) < MAX_STATIONS else ""
        left, at = self._buckets.get(station, (self._capacity, now))
        left = min(self._capacity, left + (now - at) * self._rate_hz)
        enough = left >= tokens
        self._buckets[station] = (left - tokens if enough else left, now)
        return enough

    def _forget_full(self, now: float) -> None:
        for station, (left, at) in list(self._buckets.items()):
            if left + (now - at) * self._rate_hz >= self._capacity:
                del self._buckets[station]
