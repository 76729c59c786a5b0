"""Suggests taxa while a person types a correction: those used lately and those of the station first."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from casebook.casebook import Casebook
from i18n.taxonomy import Taxon, shipped_taxonomy, taxon_search
from i18n.taxonomy.name_form import normal_form
from ingest.store.counts import CountQuery
from ingest.store.port import Store

SHOWN = 12
_SEARCHED = 60  # matches among which recent and local taxa are moved to the front
_RECENT = 500  # verdicts of all kinds
_LOCAL = timedelta(days=90)
_MAX_AGE_S = 300.0
_MAX_STATIONS = 500


class TaxonChoices:
    """Suggestions for the search box of corrections."""

    def __init__(self, casebook: Casebook, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the suggestions from the corrections in the casebook and the detections in the store."""
        self._casebook = casebook
        self._store = store
        self._clock = clock
        self._local: Mapping[str, tuple[float, Sequence[str]]] = {}

    def find(self, typed: str, station: str = "") -> Sequence[Taxon]:
        """Return taxa that match what was typed; of no text, those used lately and those detected at the station.

        A taxon with exactly the typed name comes first, then recent and local ones, then the others.
        """
        preferred = list(dict.fromkeys([*self._recent(), *(self._detected(station) if station else ())]))
        taxonomy = shipped_taxonomy()
        form = normal_form(typed)
        if not form:
            found = [taxon for key in preferred if (taxon := taxonomy.find(key)) is not None]
            return list(dict.fromkeys(found))[:SHOWN]
        named = taxonomy.find(typed)  # also by a synonym, which the search does not have
        matches = list(dict.fromkeys([*([named] if named else []), *taxon_search().find(typed, limit=_SEARCHED)]))
        rank = {key: number for number, key in enumerate(preferred)}

        def order(taxon: Taxon) -> tuple[bool, int]:
            exact = form in {normal_form(name) for name in (taxon.key, taxon.zh, taxon.en) if name}
            return not (exact or taxon is named), rank.get(taxon.key, len(rank))

        return sorted(matches, key=order)[:SHOWN]

    def _recent(self) -> Sequence[str]:
        corrections = self._casebook.recent_corrections(_RECENT)
        return list(dict.fromkeys(shipped_taxonomy().key(label, name) for label, name in corrections))

    def _detected(self, station: str) -> Sequence[str]:
        at, keys = self._local.get(station, (0.0, ()))
        if station in self._local and self._clock() - at < _MAX_AGE_S:
            return keys
        now = datetime.now(UTC)
        query = CountQuery.in_utc(now - _LOCAL, now + timedelta(minutes=10))
        found = self._store.count(CountQuery(query.first, query.last, query.periods, stations=(station,)))
        ordered = sorted(found, key=lambda one: -one.detections)
        keys = list(dict.fromkeys(shipped_taxonomy().key(one.taxon, None, one.observation_type) for one in ordered))
        kept = list(self._local.items())[-_MAX_STATIONS:]
        self._local = {**dict(kept), station: (self._clock(), keys)}  # replaced: several threads read it
        return keys
