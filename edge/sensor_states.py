"""What each sensor of a station is doing now: watching, or lost and why."""

import threading
import time
from collections.abc import Callable, Mapping

from contract.messages import Gap


class SensorStates:
    """State of the sensors by name; several threads may use one object."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any sensor."""
        self._clock = clock
        self._lock = threading.Lock()
        self._gaps: dict[str, Gap | None] = {}
        self._watched_at: dict[str, float] = {}

    def watched(self, sensor: str) -> None:
        """Record that a sensor has looked: its source works."""
        with self._lock:
            self._gaps[sensor] = None
            self._watched_at[sensor] = self._clock()

    def lost(self, sensor: str, gap: Gap) -> None:
        """Record that a sensor cannot watch."""
        with self._lock:
            self._gaps[sensor] = gap

    def all(self) -> Mapping[str, str]:
        """Return "watching" or the reason why not, by the name of each sensor that has started."""
        with self._lock:
            return {name: gap or "watching" for name, gap in self._gaps.items()}

    def working(self, within_s: float) -> frozenset[str]:
        """Return the sensors that have looked within the last seconds."""
        since = self._clock() - within_s
        with self._lock:
            return frozenset(name for name, at in self._watched_at.items() if at >= since)
