"""Service that evaluates rules on received events, and records the resulting incidents and alerts."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from casebook.flags import Flag
from casebook.incidents.occurrence import IncidentOptions, Occurrence, occurrences_of
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import JoinedShots, ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import Event
from contract.isolation import is_temporary, isolate
from contract.supervision import Supervisor
from ingest.rules.rule_set import RuleSet
from ingest.store.port import EventQuery, Received, Store


class EvaluatedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its flags, and the ids of other stations' events that contain the same sound."""

    event: Event
    received_at: datetime
    flags: tuple[Flag, ...]
    witnesses: frozenset[str] = frozenset()


class IncidentService:
    """Service that evaluates rules on events, combines the evidence of several stations, and records incidents."""

    def __init__(
        self,
        rules: RuleSet,
        store: Store,
        repository: IncidentRepository,
        shots: ShotRepository,
        watch: StationWatch,
        options: IncidentOptions,
        raised: Callable[[Sequence[Alert]], None] = lambda alerts: None,
        supervisor: Supervisor | None = None,
        known_kind: Callable[[str], str] = str,
    ) -> None:
        """Create the service; it calls ``raised`` with new alerts after the alerts are committed.

        ``known_kind`` maps the kind of an occurrence that the server does not know to "other".
        """
        self._corroboration = (supervisor or Supervisor()).part("corroboration")
        self._rules = rules
        self._store = store
        self._repository = repository
        self._shots = shots
        self._watch = watch
        self._options = options
        self._raised = raised
        self._known_kind = known_kind

    def evaluate(self, events: Sequence[tuple[Event, datetime]]) -> list[EvaluatedEvent]:
        """Evaluate the rules on stored events, and again on earlier events that share a sound with them.

        Raises:
            StoreUnavailable: store or casebook did not answer.
        """
        joined = self._join([event for event, _ in events])
        to_evaluate = list(events)
        new_ids = {event.event_id for event, _ in events}
        if earlier := tuple(sorted(set(joined.heard) - new_ids)):
            now = max(at for _, at in events)
            found = self._store.events(EventQuery(event_ids=earlier, limit=len(earlier)))
            to_evaluate += [(event, now) for event in found]
        evaluated = []
        for event, at in to_evaluate:
            try:
                flags = tuple(self._rules.evaluate(event, at, joined.heard.get(event.event_id)))
            except Exception as error:
                if event.event_id in new_ids:
                    raise
                self._corroboration.failed(error)  # at an earlier event: the new ones are not at fault
                self._corroboration.resumed()
                continue
            witnesses = joined.witnesses.get(event.event_id, frozenset())
            evaluated.append(EvaluatedEvent(event, at, flags, witnesses))
        return evaluated

    def _join(self, events: Sequence[Event]) -> JoinedShots:
        """Join the sounds of events with those of earlier ones; a single event that cannot be joined stands alone.

        Its failure may be caused by an earlier event, so that it must not be set aside for it.
        """
        try:
            return self._shots.add(events)
        except Exception as error:
            if is_temporary(error) or len(events) > 1:
                raise
            self._corroboration.failed(error)
            self._corroboration.resumed()
            return JoinedShots({}, {})

    def record(self, evaluated: Sequence[EvaluatedEvent], received: Sequence[Received]) -> None:
        """Record the time of each station's last message, and the incidents of evaluated events; idempotent.

        Raises:
            StoreUnavailable: the casebook did not answer or rejected the statement.
        """
        self._watch.record((item.record, item.received_at) for item in received)
        self._record_occurrences(
            [
                one
                for item in evaluated
                for one in occurrences_of(
                    item.event, item.flags, item.received_at, self._options, item.witnesses, self._known_kind
                )
            ]
        )

    def check_stations(self, now: datetime, listening_since: datetime) -> None:
        """Record incidents of stations with a lasting problem, such as silence, and close resolved problems.

        Args:
            now: Current time.
            listening_since: Time since which the server has been able to receive.

        Raises:
            StoreUnavailable: the casebook did not answer.
            Exception: the problem of one station could not be recorded; the others are.
        """
        failed = isolate(self._watch.update_problems(now, listening_since), self._record_occurrences)
        if failed:  # the problems of the other stations are recorded
            raise failed[0][1]

    def record_overload(self, station: str, now: datetime) -> None:
        """Record that a station sends far more than its budget; once an hour.

        Raises:
            StoreUnavailable: the casebook did not answer.
        """
        since = now.replace(minute=0, second=0, microsecond=0)
        subject = str(uuid.uuid5(uuid.NAMESPACE_URL, f"wildpost:{station}/overload/{since.isoformat()}"))
        values = {"label": "overload", "station": station, "since": now.isoformat(timespec="seconds")}
        self._record_occurrences(
            [
                Occurrence(
                    subject, "overload", "health", station, now, now, None, "warning", 1.0, (values,), ("overload",)
                )
            ]
        )

    def _record_occurrences(self, occurrences: Sequence[Occurrence]) -> None:
        if alerts := self._repository.record(occurrences):
            self._raised(alerts)
