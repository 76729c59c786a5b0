"""What every detection store offers; one contract suite runs against each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Protocol, Self

import msgspec

from casebook.verdicts import Verdict
from contract import Deployment, Effort, Event, Health, Status
from contract.messages import ObservationType
from ingest.store.microseconds import microseconds

Storable = Event | Status | Health | Effort | Deployment


class Received(msgspec.Struct, frozen=True, gc=False):
    """A record as it came in.

    Attributes:
        record: What was read from the payload.
        payload: The bytes as they came, so that fields of a later version are kept.
        received_at: When this server had it, UTC.
    """

    record: Storable
    payload: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch: how many records were new, and how many the store had already."""

    new: int
    repeated: int


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events to list, newest capture first; empty tuples mean any.

    Attributes:
        event_ids: Only these.
        stations: Only from these.
        taxa: Only with a counted detection of one of these (see ``Store.count``).
        observation_types: Only with a counted detection of one of these types.
        start: Captured at or after.
        end: Captured before.
        after: Page on: only events that sort after this (captured_at, event_id).
        limit: At most this many.
    """

    event_ids: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    observation_types: tuple[ObservationType, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50

    def meets(self, station: str, captured_us: int, event_id: str) -> bool:
        """Say whether a capture, of a time in microseconds since 1970, is of these stations, this time and page."""
        return (
            (not self.stations or station in self.stations)
            and (self.start is None or captured_us >= microseconds(self.start))
            and (self.end is None or captured_us < microseconds(self.end))
            and (self.after is None or (captured_us, event_id) < (microseconds(self.after[0]), self.after[1]))
        )


@dataclass(frozen=True, slots=True)
class OffsetPeriod:
    """A stretch of time during which the clocks of a place are one offset from UTC.

    Attributes:
        start: When it begins, UTC.
        end: When it has ended, UTC.
        offset: What its clocks show more than UTC.
    """

    start: datetime
    end: datetime
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class CountQuery:
    """What to count.

    Attributes:
        first: The first local day.
        last: The last local day.
        stretches: From the beginning of the first day to the end of the last; each begins where the one before it ends.
        stations: Only from these; empty: all.
        taxa: Only these; empty: all.
        min_confidence: Machine detections below this are left out; a person's verdict always counts.
    """

    first: date
    last: date
    stretches: tuple[OffsetPeriod, ...]
    stations: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    min_confidence: float = 0.0

    @classmethod
    def in_utc(cls, start: datetime, end: datetime) -> Self:
        """Ask for all from start to before end, in days and hours of UTC."""
        return cls(start.date(), max(start, end - timedelta(microseconds=1)).date(), (OffsetPeriod(start, end),))

    def __post_init__(self) -> None:
        if not self.stretches:
            raise ValueError("stretches: expected at least one")
        for before, after in pairwise(self.stretches):
            if before.end != after.start:
                raise ValueError(f"a stretch begins at {after.start}: expected the end of the one before, {before.end}")

    @property
    def start(self) -> datetime:
        """Captured at or after."""
        return self.stretches[0].start

    @property
    def end(self) -> datetime:
        """Captured before."""
        return self.stretches[-1].end

    @property
    def days(self) -> int:
        """How many local days these are."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class TaxonCount:
    """How often one kind was found.

    Attributes:
        taxon: Scientific name where there is one, else the label.
        observation_type: What kind of thing it is.
        by_day: (days,) detections on each local day asked for.
        by_hour: (24,) detections in each local hour of the day.
        detections: Sum of either.
        events: How many captures hold at least one of them.
    """

    taxon: str
    observation_type: ObservationType
    by_day: tuple[int, ...]
    by_hour: tuple[int, ...]
    detections: int
    events: int


@dataclass(frozen=True, slots=True)
class StationState:
    """The last that was heard of a station."""

    station: str
    status: Status | None
    health: Health | None
    last_event_at: datetime | None
    events: int


class Store(Protocol):
    """Keeps detections, station status, health, effort and deployments, and counts detections."""

    @property
    def problem(self) -> str:
        """What an operator should know, or nothing."""
        ...

    @property
    def max_concurrent_batches(self) -> int:
        """How many batches may well be written at once, by as many threads; 1: what is there waits for its turn."""
        ...

    def write(self, batch: Sequence[Received]) -> WriteResult:
        """Commit a batch as a whole; a record it has already is left as it is.

        Returns only when the batch is durable: the broker is told so afterwards.

        Raises:
            StoreUnavailable: nothing of the batch may be taken as written.
        """
        ...

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        """Commit verdicts, which count from now on in place of the machine's labels; repeating one is harmless.

        Raises:
            StoreUnavailable: they may not be taken as written.
        """
        ...

    def events(self, query: EventQuery) -> list[Event]:
        """List events as their stations sent them, newest capture first, ties by event_id descending."""
        ...

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """Count detections of each kind per local day and per local hour, with verdicts in force.

        Dismissed ones are out, corrected ones count as corrected, blanks are not counted. Sorted by taxon, then type.
        """
        ...

    def stations(self) -> list[StationState]:
        """List every station heard of, by name."""
        ...

    def deployments(self) -> list[Deployment]:
        """List the deployments of all stations, each by its latest record; sorted by station, then deployment."""
        ...

    def close(self) -> None:
        """Let go of the database; calling it twice is harmless."""
        ...
