"""Detection store in InfluxDB 1.x, 2.x or 3.x, for several machines; Grafana can query the same database."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TypeVar

import msgspec

from casebook.verdicts import Verdict
from contract import Deployment, Effort, Event, Health, Status
from contract.errors import StoreUnavailable
from contract.validation import decode_stored
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.influxdb.conditions import all_of, any_of
from ingest.store.influxdb.connection import MAX_CONCURRENT_BATCHES, InfluxConnection, InfluxOptions, StoreRefused
from ingest.store.influxdb.counted_points import PointKey, detection_lines
from ingest.store.influxdb.counting import count
from ingest.store.influxdb.deployments import (
    ID_FIELD,
    MEASUREMENT,
    deployment_line,
    deployment_request,
    read_deployments,
)
from ingest.store.influxdb.effort import effort
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.influxdb.listing import InfluxDbListing, StoredEvent
from ingest.store.influxdb.points import (
    clamp_ns,
    effort_line,
    event_line,
    event_time,
    health_line,
    index_line,
    status_line,
    verdict_id,
    verdict_line,
    verdict_time,
)
from ingest.store.influxdb.station_counts import StationCounts
from ingest.store.influxdb.timestamp_allocator import AllocatedTimestamp, TimestampAllocator, TimestampRequest
from ingest.store.microseconds import microseconds
from ingest.store.port import CountQuery, EventQuery, Received, StationState, TaxonCount, WriteResult

Kind = TypeVar("Kind")


class InfluxDbStore:
    """Detection store in one InfluxDB database, for any number of writers; implements ``Store``.

    Only fields change; nothing is deleted.

    An event is complete when its ``event_index`` point exists, which is written last. After a crash before that, the
    redelivered event finds its points and writes them again unchanged. Times outside 1678 to 2261 are exact in the
    payload, but their points are clamped to these years. Counting has a time resolution of one millisecond.
    """

    max_concurrent_batches = MAX_CONCURRENT_BATCHES

    def __init__(self, options: InfluxOptions, secret: str = "") -> None:
        """Open the InfluxDB database; create the database if it is missing and ``create`` is set.

        Args:
            options: Connection settings.
            secret: The token, or the password if a user name is set; empty if the server requires none.

        Raises:
            StoreUnavailable: the server does not answer or rejects the secret, or the database does not exist.
        """
        self._lock = threading.Lock()  # held while the points of a batch are computed, not while they are sent
        self._sent = threading.Condition(self._lock)
        self._sending = 0
        self._closed = False
        self._link = InfluxConnection(options, secret)
        self._listing = InfluxDbListing(self._link)
        self._seen = StationCounts(self._link)
        self._events = TimestampAllocator(self._link, "event", "event_id", by_station=False)
        self._health = TimestampAllocator(self._link, "health", "health_id")
        self._effort = TimestampAllocator(self._link, "effort", "effort_id")
        self._deployments = TimestampAllocator(self._link, MEASUREMENT, ID_FIELD)
        self._verdicts = TimestampAllocator(self._link, "verdict", "verdict_id", by_station=False)
        try:
            self._prepare(options)
        except StoreUnavailable:
            self._link.close()
            raise

    @property
    def problem(self) -> str:
        """Current problem of the store that the operator must solve, as text; empty if there is none."""
        older = self._link.older_than_kept
        return f"{self._link.name} dropped {older} points older than its retention: is a clock wrong?" if older else ""

    def write(self, batch: Sequence[Received]) -> WriteResult:
        """Write a batch of records to InfluxDB; see ``Store.write``."""
        events = [(item, item.record) for item in batch if isinstance(item.record, Event)]
        with ExitStack() as claims:
            with self._lock:
                self._check_open()
                fresh = self._new_events(events, claims)
                others = [*self._new_health(batch, claims), *self._new_effort(batch, claims), *_statuses(batch)]
                others += self._new_deployments(batch, claims)
                claims.enter_context(self._sending_write())
            self._link.write(chain(_event_lines(fresh), others))
            self._link.write(index_line(one.event, one.at_ns, one.index_ns) for one in fresh)
            with self._lock:
                # After the index, so that either this call or a concurrent apply_verdicts sees the other's points.
                self._rewrite_counts({event.event_id for _, event in events})
        new = len(fresh) + len(others)
        return WriteResult(new=new, repeated=len(batch) - new)

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Store verdicts, and rewrite the detection points of the events; see ``Store.apply_verdicts``."""
        with self._lock:
            self._check_open()
            unique = list({verdict_id(verdict): verdict for verdict in verdicts}.values())
            places = self._verdicts.find([TimestampRequest("", verdict_time(one), verdict_id(one)) for one in unique])
            self._link.write([verdict_line(one, place.time_ns) for one, place in zip(unique, places, strict=True)])
            self._rewrite_counts({verdict.event_id for verdict in verdicts})

    def events(self, query: EventQuery) -> list[Event]:
        """List events, newest capture first; see ``Store.events``."""
        self._check_open()
        return self._listing.events(query)

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """Count detections per local day and hour; see ``Store.count``."""
        self._check_open()
        return count(self._link, query)

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """Return the effort timelines of sensors; see ``Store.effort``."""
        self._check_open()
        return effort(self._link, query)

    def stations(self) -> list[StationState]:
        """List every station with its latest state; see ``Store.stations``."""
        self._check_open()
        status, health, seen = self._last("status"), self._last("health"), self._seen()
        return [
            StationState(
                station,
                decode_stored(status[station], Status) if station in status else None,
                decode_stored(health[station], Health) if station in health else None,
                seen[station].last_event_at if station in seen else None,
                seen[station].events if station in seen else 0,
            )
            for station in sorted(status.keys() | health.keys() | seen.keys())
        ]

    def deployments(self) -> list[Deployment]:
        """List the latest record of every deployment; see ``Store.deployments``."""
        self._check_open()
        return read_deployments(self._link)

    def close(self) -> None:
        """Wait for current writes and close the connection to InfluxDB; see ``Store.close``."""
        with self._lock:
            self._sent.wait_for(lambda: not self._sending)
            if not self._closed:
                self._closed = True
                self._link.close()

    def _prepare(self, options: InfluxOptions) -> None:
        if any(row["name"] == options.database for row in self._link.rows("SHOW DATABASES")):
            return
        if not options.create:
            raise StoreRefused(f"{self._link.name}: there is no such database, and [store.influxdb] create is false")
        name = '"' + options.database.replace("\\", "\\\\").replace('"', '\\"') + '"'
        keep = f" WITH DURATION {options.retention_days}d" if options.retention_days else ""
        self._link.query(f"CREATE DATABASE {name}{keep}")

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self._link.name}: this store was closed")

    @contextmanager
    def _sending_write(self) -> Iterator[None]:
        self._sending += 1  # the caller holds the lock
        try:
            yield
        finally:
            with self._sent:
                self._sending -= 1
                self._sent.notify_all()

    def _new_events(self, events: Sequence[tuple[Received, Event]], claims: ExitStack) -> list["_NewEvent"]:
        """Return the events of a batch that are not stored yet, without duplicates, each with its timestamps."""
        once: dict[str, tuple[Received, Event]] = {}
        for item, event in events:
            once.setdefault(event.event_id, (item, event))
        index = claims.enter_context(self._listing.claim_in_index(list(once)))
        fresh = [pair for event_id, pair in once.items() if not index[event_id].exists]
        wanted = [TimestampRequest("", event_time(event), event.event_id) for _, event in fresh]
        places = claims.enter_context(self._events.claim(wanted))
        return [
            _NewEvent(item, event, place.time_ns, index[event.event_id].time_ns)
            for (item, event), place in zip(fresh, places, strict=True)
        ]

    def _new_health(self, batch: Sequence[Received], claims: ExitStack) -> list[bytes]:
        found = [(item, item.record) for item in batch if isinstance(item.record, Health)]
        times = [microseconds(health.at) for _, health in found]
        wanted = [
            TimestampRequest(one.station, clamp_ns(at_us), str(at_us))
            for (_, one), at_us in zip(found, times, strict=True)
        ]
        return _new(found, claims.enter_context(self._health.claim(wanted)), health_line)

    def _new_effort(self, batch: Sequence[Received], claims: ExitStack) -> list[bytes]:
        found = [(item, item.record) for item in batch if isinstance(item.record, Effort)]
        wanted = [
            TimestampRequest(effort.station, clamp_ns(microseconds(effort.start)), effort.effort_id)
            for _, effort in found
        ]
        return _new(found, claims.enter_context(self._effort.claim(wanted)), effort_line)

    def _new_deployments(self, batch: Sequence[Received], claims: ExitStack) -> list[bytes]:
        found = [(item, item.record) for item in batch if isinstance(item.record, Deployment)]
        wanted = [deployment_request(deployment) for _, deployment in found]
        return _new(found, claims.enter_context(self._deployments.claim(wanted)), deployment_line)

    def _rewrite_counts(self, event_ids: Iterable[str]) -> None:
        """Rewrite the detection points of events according to the latest verdicts.

        The rewrite is repeated if another verdict arrives meanwhile.
        """
        verdicts = self._listing.verdicts_of(event_ids)
        while verdicts:
            lines = []
            for stored in self._listing.stored(verdicts):
                event = stored.event
                lines += detection_lines(event, stored.at_ns, verdicts[event.event_id], self._existing(stored))
            self._link.write(lines)
            before, verdicts = verdicts, self._listing.verdicts_of(event_ids)
            if verdicts == before:
                return

    def _existing(self, stored: StoredEvent) -> list[PointKey]:
        conditions = all_of([f"time = {stored.at_ns}", *any_of("station", (stored.event.station,))])
        return [
            PointKey(
                int(row["ordinal"]), from_tag(row["observationType"]), from_tag(row["taxon"]), from_tag(row["model"])
            )
            for row in self._link.rows(
                f'SELECT "event_id", "ordinal", "observationType", "taxon", "model" FROM "detection" WHERE {conditions}'
            )
        ]

    def _last(self, measurement: str) -> Mapping[str, str]:
        return {
            from_tag(series.tags["station"]): series.rows[0]["last"]
            for series in self._link.query(f'SELECT LAST("payload") AS "last" FROM "{measurement}" GROUP BY "station"')
        }


class _NewEvent(msgspec.Struct, frozen=True, gc=False):
    """A new event, with the timestamps under which InfluxDB will store it and its index entry."""

    item: Received
    event: Event
    at_ns: int
    index_ns: int


def _event_lines(fresh: Iterable[_NewEvent]) -> Iterator[bytes]:
    for one in fresh:
        yield event_line(one.item, one.event, one.at_ns)
        yield from detection_lines(one.event, one.at_ns, {})


def _new(
    found: Sequence[tuple[Received, Kind]],
    places: Sequence[AllocatedTimestamp],
    to_line: Callable[[Received, Kind, int], bytes],
) -> list[bytes]:
    return [
        to_line(item, record, place.time_ns)
        for (item, record), place in zip(found, places, strict=True)
        if not place.exists
    ]


def _statuses(batch: Sequence[Received]) -> list[bytes]:
    return [status_line(item, item.record) for item in batch if isinstance(item.record, Status)]
