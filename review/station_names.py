"""Caches the names of all stations for the station filter of the review pages."""

import time
from collections.abc import Callable, Sequence

from ingest.store.port import Store

_MAX_AGE_S = 60.0


class StationNames:
    """Names of the known stations, cached for a minute.

    InfluxDB takes a second or more to list them.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty cache, which the first call fills from the detection store."""
        self._store = store
        self._clock = clock
        self._cache: tuple[float, Sequence[str]] = (0.0, ())

    def __call__(self) -> Sequence[str]:
        """Return the station names in the order of the detection store."""
        at, names = self._cache
        if not names or self._clock() - at > _MAX_AGE_S:
            names = tuple(state.station for state in self._store.stations())
            self._cache = (self._clock(), names)
        return names
