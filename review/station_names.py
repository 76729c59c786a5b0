"""Caches the names of all stations, and of those that are simulated, for the review pages."""

import contextlib
import time
from collections.abc import Callable, Sequence

from contract.errors import StoreUnavailable
from ingest.store.port import Store
from ingest.store.simulated import simulated_stations

_MAX_AGE_S = 60.0


class StationNames:
    """Names of the known stations and of the simulated ones, cached for a minute.

    InfluxDB takes a second or more to list them.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty cache, which the first call fills from the detection store."""
        self._store = store
        self._clock = clock
        self._cache: tuple[float, Sequence[str]] = (0.0, ())
        self._simulated: tuple[float | None, frozenset[str]] = (None, frozenset())

    def __call__(self) -> Sequence[str]:
        """Return the station names in the order of the detection store."""
        at, names = self._cache
        if not names or self._clock() - at > _MAX_AGE_S:
            names = tuple(state.station for state in self._store.stations())
            self._cache = (self._clock(), names)
        return names

    @property
    def simulated(self) -> frozenset[str]:
        """The simulated stations; while the store does not answer, those that were known before."""
        now = self._clock()
        at, names = self._simulated
        if at is None or now - at > _MAX_AGE_S:
            with contextlib.suppress(StoreUnavailable):  # pages of the casebook do without the store
                names = simulated_stations(self._store.deployments())
                self._simulated = now, names
        return names
