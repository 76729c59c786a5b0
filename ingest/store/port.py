"""Interface of every detection store, with the types of its queries and results.

One contract suite of tests runs against each store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from casebook.verdicts import Verdict
from contract import Deployment, Effort, Event, Health, Status
from contract.messages import ObservationType
from ingest.store.counts import CountQuery, TaxonCount
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.microseconds import microseconds
from ingest.store.model_use import ModelUse
from ingest.store.records import RecordQuery, Records

Storable = Event | Status | Health | Effort | Deployment


class Received(msgspec.Struct, frozen=True, gc=False):
    """A record received from a station, with its original payload.

    Attributes:
        record: The decoded record.
        payload: The original bytes, which keep fields of later contract versions.
        received_at: Time this server received it, UTC.
        topic: MQTT topic of the message; "" if it is not known.
    """

    record: Storable
    payload: bytes
    received_at: datetime
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A received record that was not stored because another record with its id came first.

    Attributes:
        received: The record that was not stored.
        stored_station: Station of the stored record; "" if it cannot be read.
        stored_sha256: SHA-256 of the stored record's content; see ``content_sha256``.
        received_sha256: SHA-256 of the received record's content.
    """

    received: Received
    stored_station: str
    stored_sha256: str
    received_sha256: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Result of a write.

    Attributes:
        new: Number of new records.
        repeated: Number of redelivered records.
        conflicts: Records that were not stored.
        corrected: By event id, events whose clock is corrected on the server, with the corrected time.
    """

    new: int
    repeated: int
    conflicts: tuple[Conflict, ...] = ()
    corrected: Mapping[str, Event] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Filter for listing events, newest first; an empty tuple accepts any value.

    Events are listed under their ``ListedEvent.listed_at``, to which the times below refer.

    Attributes:
        event_ids: Accepted event ids.
        stations: Accepted stations.
        taxa: Only events with a counted detection of one of these taxa (see ``Store.count``).
        observation_types: Only events with a counted detection of one of these types.
        blank: Only events in which no detection counts: nothing was found, or everything was dismissed.
        decided: Only events whose detections all have a verdict (True) or not (False); None: both.
        start: Listed at or after this time.
        end: Listed before this time.
        after: Pagination cursor, ``ListedEvent.key``: only events that sort after it.
        limit: Maximum number of events.
    """

    event_ids: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    observation_types: tuple[ObservationType, ...] = ()
    blank: bool = False
    decided: bool | None = None
    start: datetime | None = None
    end: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50

    def matches(self, station: str, listed_us: int, event_id: str) -> bool:
        """Return whether an event meets the conditions ``stations``, ``start``, ``end`` and ``after`` of the query."""
        return (
            (not self.stations or station in self.stations)
            and (self.start is None or listed_us >= microseconds(self.start))
            and (self.end is None or listed_us < microseconds(self.end))
            and (self.after is None or (listed_us, event_id) < (microseconds(self.after[0]), self.after[1]))
        )


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event with the time under which it is listed.

    Attributes:
        event: The event; if its clock was corrected on the server, with the corrected time and clock.
        listed_at: Time of the capture; the time of receipt if the station's clock cannot be believed (see
            ``ingest.store.order``).
        uncorrected: The event as its station sent it, if its clock was corrected; None: it was not.
    """

    event: Event
    listed_at: datetime
    uncorrected: Event | None = None

    @property
    def sent(self) -> Event:
        """The event as its station sent it."""
        return self.uncorrected or self.event

    @property
    def key(self) -> tuple[datetime, str]:
        """Sort key, and pagination cursor."""
        return self.listed_at, self.event.event_id


@dataclass(frozen=True, slots=True)
class StationState:
    """Latest status and health of a station, the time of its latest capture, and the number of its events.

    ``last_event_at`` is the time under which the latest event is listed. ``status_received_at`` and
    ``health_received_at`` are the times of receipt by the server's clock; None: not known. A status that arrives again
    unchanged keeps the time of its first receipt, since the broker repeats retained messages.
    """

    station: str
    status: Status | None
    health: Health | None
    last_event_at: datetime | None
    events: int
    status_received_at: datetime | None = None
    health_received_at: datetime | None = None


class Store(Protocol):
    """Interface of a store for events and their detections, and for the records about stations."""

    @property
    def problem(self) -> str:
        """Current problem of the store that the operator must solve, as text; empty if there is none."""
        ...

    @property
    def max_concurrent_batches(self) -> int:
        """Number of batches that threads may usefully write concurrently; 1 if the store serialises writes."""
        ...

    def write(self, batch: Sequence[Received]) -> WriteResult:
        """Commit a whole batch of received records; a record that the store already has is not changed.

        A second record with a known id and other content is a conflict: the first one stays.

        Returns only after the batch is durable, since its messages are then acknowledged to the broker.

        Raises:
            StoreUnavailable: the batch must be treated as not written.
        """
        ...

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Commit verdicts, which then replace the machine's labels in counts; idempotent.

        Of several verdicts on one detection, the one with the highest ``Verdict.order`` counts; after the outcome
        "withdrawn", the detection counts as the machine found it.

        Raises:
            StoreUnavailable: the verdicts must be treated as not written.
        """
        ...

    def events(self, query: EventQuery) -> list[Event]:
        """List events as their stations sent them, newest first, ties by descending event id."""
        ...

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """List events like ``events``, each with the time under which it is listed."""
        ...

    def payloads(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the messages of events byte for byte as their stations sent them, by event id; without unknown ids."""
        ...

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """List the ``ListedEvent.key`` of the events that ``listing`` returns, without reading the events."""
        ...

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """Count the detections of each taxon per local day and per local hour, with the latest verdicts applied.

        A detection counts on the day under which its event is listed, so that none is counted in 1970 or 2099. It
        counts in an hour only if that hour is known: the clock is believed, and the time is not that of copying.

        Dismissed detections and blanks do not count; corrected ones count as corrected. Sorted by taxon, then type.
        """
        ...

    def records(self, query: RecordQuery) -> Records:
        """Return a record for each capture and counted taxon, with the latest verdicts applied.

        Times have a resolution of one millisecond; a capture belongs to the period by the time under which it is
        listed. What counts is what ``count`` counts.
        """
        ...

    def models_in_use(self) -> list[ModelUse]:
        """List the first and last day of use of each version of a model on each sensor, sorted."""
        ...

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """Return the timeline of each sensor: when it watched, and when and why it could not.

        Intervals are sorted, clipped to the period and do not overlap (``ingest.store.effort`` says how records are
        merged). What lies between them is not known; a sensor of which nothing is known in the period is left out.
        """
        ...

    def stations(self) -> list[StationState]:
        """List every station that has sent a message, sorted by name, with its latest state."""
        ...

    def deployments(self) -> list[Deployment]:
        """List the latest record of every deployment, sorted by station and deployment."""
        ...

    def close(self) -> None:
        """Close the connection to the database; idempotent."""
        ...
