"""A detection store as somebody may read it who sees only some stations."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from casebook.verdicts import Verdict
from contract import Deployment, Event
from ingest.store.counts import CountQuery, TaxonCount
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.model_use import ModelUse
from ingest.store.port import EventQuery, ListedEvent, Received, StationState, Store, WriteResult
from ingest.store.records import RecordQuery, Records, no_records

Query = TypeVar("Query", EventQuery, CountQuery, RecordQuery, EffortQuery)


class NarrowedStore:
    """Reads the records of some stations of another store; it receives nothing.

    Verdicts pass through: whoever decides has read the event here before.
    """

    def __init__(self, store: Store, stations: frozenset[str]) -> None:
        """Use a store, which the caller closes, and the names of the stations that may be read."""
        self._store = store
        self._stations = stations

    @property
    def problem(self) -> str:
        """See ``Store.problem``."""
        return self._store.problem

    @property
    def max_concurrent_batches(self) -> int:
        """See ``Store.max_concurrent_batches``."""
        return self._store.max_concurrent_batches

    def write(self, batch: Sequence[Received]) -> WriteResult:
        """Refuse to store records.

        Raises:
            PermissionError: always.
        """
        raise PermissionError("a narrowed store receives nothing")

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """See ``Store.apply_verdicts``."""
        self._store.apply_verdicts(verdicts)

    def events(self, query: EventQuery) -> list[Event]:
        """See ``Store.events``."""
        narrowed = self._narrowed(query)
        return self._store.events(narrowed) if narrowed else []

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """See ``Store.listing``."""
        narrowed = self._narrowed(query)
        return self._store.listing(narrowed) if narrowed else []

    def payloads(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """See ``Store.payloads``."""
        if not event_ids:
            return {}
        seen = self.events(EventQuery(event_ids=tuple(event_ids), limit=len(event_ids)))
        return self._store.payloads([event.event_id for event in seen])

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """See ``Store.keys``."""
        narrowed = self._narrowed(query)
        return self._store.keys(narrowed) if narrowed else []

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """See ``Store.count``."""
        narrowed = self._narrowed(query)
        return self._store.count(narrowed) if narrowed else []

    def records(self, query: RecordQuery) -> Records:
        """See ``Store.records``."""
        narrowed = self._narrowed(query)
        return self._store.records(narrowed) if narrowed else no_records()

    def models_in_use(self) -> list[ModelUse]:
        """See ``Store.models_in_use``."""
        return [one for one in self._store.models_in_use() if one.station in self._stations]

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """See ``Store.effort``."""
        narrowed = self._narrowed(query)
        return self._store.effort(narrowed) if narrowed else []

    def stations(self) -> list[StationState]:
        """See ``Store.stations``."""
        return [one for one in self._store.stations() if one.station in self._stations]

    def deployments(self) -> list[Deployment]:
        """See ``Store.deployments``."""
        return [one for one in self._store.deployments() if one.station in self._stations]

    def close(self) -> None:
        """Do nothing: the store belongs to others."""

    def _narrowed(self, query: Query) -> Query | None:
        """Return a query for those of its stations that may be read; None if there is none.

        An empty tuple of stations would accept all of them.
        """
        asked = self._stations.intersection(query.stations) if query.stations else self._stations
        return replace(query, stations=tuple(sorted(asked))) if asked else None
