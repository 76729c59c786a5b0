"""The names that a filter offers."""

import time
from collections.abc import Callable, Sequence

from ingest.store.port import Store

_KEPT_S = 60.0


class StationNames:
    """Stations heard of, as they were a minute ago at most: InfluxDB takes a second or more to tell."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask this store, not before it is needed."""
        self._store = store
        self._clock = clock
        self._known: tuple[float, Sequence[str]] = (0.0, ())

    def __call__(self) -> Sequence[str]:
        """Tell them in their order."""
        at, names = self._known
        if not names or self._clock() - at > _KEPT_S:
            names = tuple(state.station for state in self._store.stations())
            self._known = (self._clock(), names)
        return names
