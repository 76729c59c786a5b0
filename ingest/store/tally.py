"""Accumulator that adds partial counts of detections, per taxon, local day and hour of the day."""

import msgspec

from contract.messages import ObservationType
from ingest.store.counts import TaxonCount
from ingest.store.taxon_key import taxon_key

HOURS = 24


class Tally:
    """Accumulator for the detection counts of one query."""

    def __init__(self, days: int) -> None:
        """Create an empty accumulator for a number of local days."""
        self._days = days
        self._kinds: dict[tuple[str, str], tuple[list[int], list[int], list[int]]] = {}

    def add_day(self, taxon: str, kind: str, day: int, detections: int) -> None:
        """Add a number of detections to a taxon's count of one local day, numbered from 0."""
        self._of(taxon, kind)[0][day] += detections

    def add_hour(self, taxon: str, kind: str, hour: int, detections: int) -> None:
        """Add a number of detections to a taxon's count of one hour of the local day, 0..23."""
        self._of(taxon, kind)[1][hour] += detections

    def add_captures(self, taxon: str, kind: str, events: int) -> None:
        """Add a number of events with detections of a taxon to the taxon's count of events."""
        self._of(taxon, kind)[2][0] += events

    def totals(self) -> list[TaxonCount]:
        """Return the counts of each taxon with detections, sorted by taxon and observation type."""
        return [
            TaxonCount(
                taxon, msgspec.convert(kind, ObservationType), tuple(by_day), tuple(by_hour), sum(by_day), events
            )
            for (taxon, kind), (by_day, by_hour, (events,)) in sorted(self._kinds.items())
            if any(by_day)
        ]

    def _of(self, taxon: str, kind: str) -> tuple[list[int], list[int], list[int]]:
        # Records that were stored before names were unified have the detector's label or scientific name.
        key = taxon_key(taxon, None, msgspec.convert(kind, ObservationType)), kind
        found = self._kinds.get(key)
        if found is None:
            found = self._kinds[key] = ([0] * self._days, [0] * HOURS, [0])
        return found
