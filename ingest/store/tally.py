"""Adds up counts per kind, local day and local hour, from whatever portions a store answers in."""

import msgspec

from contract.messages import ObservationType
from ingest.store.port import TaxonCount

HOURS = 24


class Tally:
    """Counts of one question while its answer is read."""

    def __init__(self, days: int) -> None:
        """Count over so many local days."""
        self._days = days
        self._kinds: dict[tuple[str, str], tuple[list[int], list[int], list[int]]] = {}

    def add_day(self, taxon: str, kind: str, day: int, detections: int) -> None:
        """Add what was found on a day, the first being 0."""
        self._of(taxon, kind)[0][day] += detections

    def add_hour(self, taxon: str, kind: str, hour: int, detections: int) -> None:
        """Add what was found in an hour of the day."""
        self._of(taxon, kind)[1][hour] += detections

    def add_captures(self, taxon: str, kind: str, events: int) -> None:
        """Add captures that hold some."""
        self._of(taxon, kind)[2][0] += events

    def totals(self) -> list[TaxonCount]:
        """Give the sums, by taxon and type; kinds of which none was found are left out."""
        return [
            TaxonCount(
                taxon, msgspec.convert(kind, ObservationType), tuple(by_day), tuple(by_hour), sum(by_day), events
            )
            for (taxon, kind), (by_day, by_hour, (events,)) in sorted(self._kinds.items())
            if any(by_day)
        ]

    def _of(self, taxon: str, kind: str) -> tuple[list[int], list[int], list[int]]:
        found = self._kinds.get((taxon, kind))
        if found is None:
            found = self._kinds[taxon, kind] = ([0] * self._days, [0] * HOURS, [0])
        return found
