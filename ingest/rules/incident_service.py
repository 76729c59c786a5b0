"""Where everything about incidents comes together: what arrives, what rules say of it, and who is told."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from casebook.flags import Flag
from casebook.incidents.occurrence import IncidentOptions, Occurrence, occurrences_of
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import Event
from ingest.rules.rule_set import RuleSet
from ingest.store.port import EventQuery, Received, Store


class EvaluatedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event, what rules say of it, and where the same was heard."""

    event: Event
    received_at: datetime
    flags: tuple[Flag, ...]
    witnesses: frozenset[str] = frozenset()


class IncidentService:
    """Judges events with what other stations heard, and keeps the incidents they make."""

    def __init__(
        self,
        rules: RuleSet,
        store: Store,
        book: IncidentRepository,
        shots: ShotRepository,
        watch: StationWatch,
        options: IncidentOptions,
        raised: Callable[[Sequence[Alert]], None] = lambda alerts: None,
    ) -> None:
        """Hold the parts together; ``raised`` is told of alerts that are in the book now."""
        self._rules = rules
        self._store = store
        self._book = book
        self._shots = shots
        self._watch = watch
        self._options = options
        self._raised = raised

    def evaluate(self, events: Sequence[tuple[Event, datetime]]) -> list[EvaluatedEvent]:
        """Apply the rules to events that the store has, and again to earlier ones that were now heard elsewhere too.

        Raises:
            StoreUnavailable: store or casebook did not answer.
        """
        joined = self._shots.add([event for event, _ in events])
        whole = list(events)
        here = {event.event_id for event, _ in events}
        if earlier := tuple(sorted(set(joined.heard) - here)):
            now = max(at for _, at in events)
            found = self._store.events(EventQuery(event_ids=earlier, limit=len(earlier)))
            whole += [(event, now) for event in found]
        return [
            EvaluatedEvent(
                event,
                at,
                tuple(self._rules.evaluate(event, at, joined.heard.get(event.event_id))),
                joined.witnesses.get(event.event_id, frozenset()),
            )
            for event, at in whole
        ]

    def record(self, judged: Sequence[EvaluatedEvent], received: Sequence[Received]) -> None:
        """Keep what happened, and what was heard of stations; taking it again changes nothing.

        Raises:
            StoreUnavailable: the casebook did not take it.
        """
        self._watch.record((item.record, item.received_at) for item in received)
        self._keep(
            [
                one
                for item in judged
                for one in occurrences_of(item.event, item.flags, item.received_at, self._options, item.witnesses)
            ]
        )

    def check_stations(self, now: datetime, listening_since: datetime) -> None:
        """See which stations have been silent or blind for too long.

        Raises:
            StoreUnavailable: the casebook did not answer.
        """
        self._keep(self._watch.update_problems(now, listening_since))

    def _keep(self, occurrences: Sequence[Occurrence]) -> None:
        if alerts := self._book.record(occurrences):
            self._raised(alerts)
