"""Meter of what each station sends, which tells a station that floods the server from all others."""

import time
from collections.abc import Callable, Sequence

from ingest.budgets.options import MAX_STATIONS, BudgetOptions
from ingest.budgets.tally import OTHER

_BURST_S = 10.0  # a station may send the budget of this time at once
_FAR_ABOVE = 8  # a station floods if it sends this many times as much as the median station
_ACTIVE_S = 600.0  # a station counts as active for this long; stations send health every five minutes
_COMPARE_S = 1.0
_COMPARED_AT_ONCE = 100  # while there are fewer stations, a new one is compared with the others at once
_RECOMPARE_S = 0.05


class _Usage:
    """Messages and bytes of one station, less the budget of the time that has passed."""

    __slots__ = ("at", "messages", "size")

    def __init__(self, at: float) -> None:
        self.at = at
        self.messages = self.size = 0.0


class StationUsage:
    """Meter of messages and bytes by station, which drains at the rate of the budget (a leaky bucket).

    A station is over its budget if its meter is above a burst and far above the median of the active stations. The
    median matters: if all stations return from one outage at the same time, none of them delays the others unfairly.
    """

    def __init__(self, options: BudgetOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty meter; ``clock`` is a monotonic clock in seconds."""
        self._clock = clock
        self._messages_s = options.messages_per_hour / 3600
        self._bytes_s = options.megabytes_per_hour * 1e6 / 3600
        self._usage: dict[str, _Usage] = {}
        self._messages_limit = self._bytes_limit = float("inf")
        self._compared_at = float("-inf")

    def add(self, station: str, messages: int, size: int) -> bool:
        """Count messages of a station; return whether the station is over its budget."""
        now = self._clock()
        usage = self._usage.get(station)
        if usage is None:
            name = station if len(self._usage) < MAX_STATIONS else OTHER
            usage = self._usage.setdefault(name, _Usage(now))
            if len(self._usage) <= _COMPARED_AT_ONCE:
                self._compared_at = float("-inf")
        self._drain(usage, now)
        usage.messages += messages
        usage.size += size
        every_s = _COMPARE_S if self._messages_limit < float("inf") else _RECOMPARE_S
        if now - self._compared_at >= every_s:
            self._compare(now)
        if not self._is_over(usage):
            return False
        if now - self._compared_at >= _RECOMPARE_S:
            self._compare(now)  # the other stations may have sent as much since
        return self._is_over(usage)

    def _is_over(self, usage: _Usage) -> bool:
        return usage.messages > self._messages_limit or usage.size > self._bytes_limit

    def _drain(self, usage: _Usage, now: float) -> None:
        elapsed = now - usage.at
        usage.messages = max(0.0, usage.messages - elapsed * self._messages_s)
        usage.size = max(0.0, usage.size - elapsed * self._bytes_s)
        usage.at = now

    def _compare(self, now: float) -> None:
        self._compared_at = now
        for station in [name for name, usage in self._usage.items() if now - usage.at > _ACTIVE_S]:
            del self._usage[station]
        active = list(self._usage.values())
        if len(active) < 2:  # no other station to be fair to
            self._messages_limit = self._bytes_limit = float("inf")
            return
        messages = [usage.messages - (now - usage.at) * self._messages_s for usage in active]
        sizes = [usage.size - (now - usage.at) * self._bytes_s for usage in active]
        self._messages_limit = max(_BURST_S * self._messages_s, _FAR_ABOVE * _lower_median(messages))
        self._bytes_limit = max(_BURST_S * self._bytes_s, _FAR_ABOVE * _lower_median(sizes))


def _lower_median(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]
