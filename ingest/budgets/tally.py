"""Counts of what was held back or dropped because a station is over a budget, by station."""

import re
import threading
from dataclasses import dataclass, field, fields
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge

from ingest.budgets.options import MAX_STATIONS

OTHER = "other"  # stands for all names that are no station's, or too many; a station of this name shares their budget
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # as ``contract.messages.Name``
_MAX_LABELS = 500  # Prometheus keeps each name for ever


@lru_cache(maxsize=MAX_STATIONS)
def station_of(topic: str) -> str:
    """Return the station of a topic that matches the subscription; OTHER if it is not a valid station's name."""
    levels = topic.rsplit("/", 2)
    return levels[1] if len(levels) == 3 and _NAME.fullmatch(levels[1]) else OTHER


@dataclass
class StationTally:
    """Counts for one station since they were last read.

    Attributes:
        held_back: Messages that were held back; they are processed later.
        held_back_bytes: Their size.
        unreadable: Unreadable messages of which nothing was kept.
        unreadable_bytes: Their size.
        unclaimed: Media that no stored event names and that were dropped.
        unclaimed_bytes: Their size.
        evicted: Records deleted from quarantine because newer ones of the station came.
    """

    held_back: int = 0
    held_back_bytes: int = 0
    unreadable: int = 0
    unreadable_bytes: int = 0
    unclaimed: int = 0
    unclaimed_bytes: int = 0
    evicted: int = 0

    @property
    def dropped(self) -> int:
        """Messages of which nothing was kept."""
        return self.unreadable + self.unclaimed

    def __iadd__(self, other: "StationTally") -> "StationTally":
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        return self


@dataclass
class BudgetTally:
    """Counter of held back and dropped messages; thread-safe."""

    registry: CollectorRegistry
    _new: dict[str, StationTally] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        def counter(name: str, about: str) -> Counter:
            return Counter(f"wildpost_{name}", about, ("station",), registry=self.registry)

        self.spool_bytes = Gauge(
            "wildpost_spool_bytes", "Messages of stations over their budget on disk, in bytes", registry=self.registry
        )
        self._counters = {
            "held_back": counter("messages_held_back", "Messages over the station's budget, processed later"),
            "unreadable": counter("quarantine_dropped", "Unreadable messages over the budget, not kept"),
            "unclaimed": counter("media_dropped", "Media without an event over the budget, dropped"),
            "evicted": counter("quarantine_evicted", "Records deleted from quarantine to make room for newer ones"),
        }

    def add(self, station: str, **counts: int) -> None:
        """Add to the counts of a station, by attribute name of ``StationTally``."""
        with self._lock:
            tally = self._new.setdefault(station if len(self._new) < _MAX_LABELS else OTHER, StationTally())
            if len(self._names) < _MAX_LABELS:
                self._names.add(station)
            label = station if station in self._names else OTHER
            for name, count in counts.items():
                setattr(tally, name, getattr(tally, name) + count)
                if name in self._counters:
                    self._counters[name].labels(label).inc(count)

    @property
    def new(self) -> dict[str, StationTally]:
        """Counts by station since the last call of ``take``."""
        return self._new

    def take(self) -> dict[str, StationTally]:
        """Return the counts by station since the last call."""
        if not self._new:
            return {}
        with self._lock:
            found, self._new = self._new, {}
            return found
