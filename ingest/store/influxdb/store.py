"""Detection store in InfluxDB 1.x, 2.x or 3.x, for several machines; Grafana can query the same database."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import chain

from casebook.verdicts import Verdict
from contract import Deployment, Effort, Event, Health, Status
from contract.errors import StoreUnavailable
from contract.validation import decode_stored
from ingest.store.conflict import conflict_with
from ingest.store.counts import CountQuery, TaxonCount
from ingest.store.effort import EffortQuery, SensorEffort
from ingest.store.influxdb.conditions import all_of, any_of
from ingest.store.influxdb.connection import MAX_CONCURRENT_BATCHES, InfluxConnection, InfluxOptions, StoreRefused
from ingest.store.influxdb.counted_points import PointKey, detection_lines
from ingest.store.influxdb.counting import count
from ingest.store.influxdb.decisions import decision_line
from ingest.store.influxdb.deployments import ID_FIELD, MEASUREMENT, deployment_line, deployment_request
from ingest.store.influxdb.effort import effort
from ingest.store.influxdb.line_protocol import from_tag
from ingest.store.influxdb.listing import InfluxDbListing, StoredEvent
from ingest.store.influxdb.new_events import NewEvent, event_lines, listed_times, newest_listed
from ingest.store.influxdb.older_decisions import complete_decisions
from ingest.store.influxdb.points import (
    clamp_ns,
    effort_line,
    event_time,
    health_line,
    index_line,
    status_line,
    verdict_id,
    verdict_line,
    verdict_time,
)
from ingest.store.influxdb.records import read_model_use, read_records
from ingest.store.influxdb.reports import latest_lines, latest_reports, new_reports
from ingest.store.influxdb.station_counts import StationCounts
from ingest.store.influxdb.timestamp_allocator import TimestampAllocator, TimestampRequest
from ingest.store.microseconds import microseconds
from ingest.store.model_use import ModelUse
from ingest.store.port import Conflict, EventQuery, ListedEvent, Received, StationState, WriteResult
from ingest.store.records import RecordQuery, Records


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
        self._health = TimestampAllocator(self._link, "health", "health_id", also=("payload",))
        self._effort = TimestampAllocator(self._link, "effort", "effort_id", also=("payload",))
        self._deployments = TimestampAllocator(self._link, MEASUREMENT, ID_FIELD, also=("payload",))
        self._receipts = TimestampAllocator(
            self._link, "event_receipt", "event_id", by_station=False, also=("listed_us",)
        )
        self._in_flight: dict[str, Event] = {}  # events that are being written
        self._newest_us = 0  # the time under which the newest event of this process is listed
        self._verdicts = TimestampAllocator(self._link, "verdict", "verdict_id", by_station=False)
        try:
            self._prepare(options)
            self._newest_us = newest_listed(self._link)
            complete_decisions(self._link, self._listing)
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
                fresh, conflicts = self._new_events(events, claims)
                reports = self._new_reports(batch, claims, conflicts)
                # Before the reports: a redelivery after a crash between the two is new, and repeats both.
                others = latest_lines(self._link, [item for item, _ in reports]) + [line for _, line in reports]
                claims.enter_context(self._sending_write())
            self._link.write(chain(event_lines(fresh), others))
            self._link.write(index_line(one.event, one.at_ns, one.index_ns) for one in fresh)
            with self._lock:
                # After the index, so that either this call or a concurrent apply_verdicts sees the other's points.
                self._rewrite_counts({event.event_id for _, event in events})
                self._newest_us = max([self._newest_us, *(one.listed_us for one in fresh)])
        new = len(fresh) + len(reports)
        return WriteResult(new, len(batch) - new - len(conflicts), tuple(conflicts))

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Store verdicts, and rewrite the detection points of the events; see ``Store.apply_verdicts``."""
        with self._lock:
            self._check_open()
            unique = list({verdict_id(verdict): verdict for verdict in verdicts}.values())
            places = self._verdicts.find([TimestampRequest("", verdict_time(one), verdict_id(one)) for one in unique])
            self._link.write(
                verdict_line(one, place.time_ns) for one, place in zip(unique, places, strict=True) if not place.exists
            )
            self._rewrite_counts({verdict.event_id for verdict in verdicts})

    def events(self, query: EventQuery) -> list[Event]:
        """List events, newest first; see ``Store.events``."""
        return [one.event for one in self.listing(query)]

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """List events with the times under which they are listed; see ``Store.listing``."""
        self._check_open()
        return self._listing.listing(query)

    def payloads(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the messages of events; see ``Store.payloads``."""
        self._check_open()
        return self._listing.payloads(event_ids)

    def keys(self, query: EventQuery) -> list[tuple[datetime, str]]:
        """List the sort keys of events; see ``Store.keys``."""
        self._check_open()
        return self._listing.keys(query)

    def count(self, query: CountQuery) -> list[TaxonCount]:
        """Count detections per local day and hour; see ``Store.count``."""
        self._check_open()
        return count(self._link, query)

    def records(self, query: RecordQuery) -> Records:
        """Return a record for each capture and taxon; see ``Store.records``."""
        self._check_open()
        return read_records(self._link, query)

    def models_in_use(self) -> list[ModelUse]:
        """List the days of use of models; see ``Store.models_in_use``."""
        self._check_open()
        return read_model_use(self._link)

    def effort(self, query: EffortQuery) -> list[SensorEffort]:
        """Return the effort timelines of sensors; see ``Store.effort``."""
        self._check_open()
        return effort(self._link, query)

    def stations(self) -> list[StationState]:
        """List every station with its latest state; see ``Store.stations``."""
        self._check_open()
        status = {name: report for (name, _), report in latest_reports(self._link, "status").items()}
        health = {name: report for (name, _), report in latest_reports(self._link, "health").items()}
        seen = self._seen()
        return [
            StationState(
                station,
                decode_stored(status[station][0], Status) if station in status else None,
                decode_stored(health[station][0], Health) if station in health else None,
                seen[station].last_event_at if station in seen else None,
                seen[station].events if station in seen else 0,
                status[station][1] if station in status else None,
                health[station][1] if station in health else None,
            )
            for station in sorted(status.keys() | health.keys() | seen.keys())
        ]

    def deployments(self) -> list[Deployment]:
        """List the latest record of every deployment; see ``Store.deployments``."""
        self._check_open()
        found = latest_reports(self._link, "deployment")
        return [decode_stored(found[key][0], Deployment) for key in sorted(found)]

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

    def _new_events(
        self, events: Sequence[tuple[Received, Event]], claims: ExitStack
    ) -> tuple[list[NewEvent], list[Conflict]]:
        """Return the events of a batch that are not stored yet, each with its timestamps, and the conflicts."""
        once: dict[str, tuple[Received, Event]] = {}
        again: list[tuple[Received, Event]] = []
        for item, event in events:
            if once.setdefault(event.event_id, (item, event))[0] is not item:
                again.append((item, event))
        index = claims.enter_context(self._listing.claim_in_index(list(once)))
        stored = {event_id: event for event_id, event in self._in_flight.items() if event_id in once}
        stored |= {one.event.event_id: one.event for one in self._listing.stored_at(index)}
        conflicting = {
            event_id: conflict
            for event_id, event in stored.items()
            if (conflict := conflict_with(once[event_id][0], event)) is not None
        }
        conflicts = list(conflicting.values())
        for item, event in again:
            if (conflict := conflict_with(item, stored.get(event.event_id, once[event.event_id][1]))) is not None:
                conflicts.append(conflict)
        fresh = [pair for event_id, pair in once.items() if not index[event_id].exists and event_id not in conflicting]
        self._in_flight |= {event.event_id: event for _, event in fresh}
        claims.callback(self._forget_in_flight, [event.event_id for _, event in fresh])
        listed = listed_times(self._link, self._receipts, fresh, self._newest_us)
        wanted = [
            TimestampRequest("", event_time(event, time_us), event.event_id)
            for (_, event), time_us in zip(fresh, listed, strict=True)
        ]
        places = claims.enter_context(self._events.claim(wanted))
        new = [
            NewEvent(item, event, place.time_ns, index[event.event_id].time_ns, time_us)
            for (item, event), place, time_us in zip(fresh, places, listed, strict=True)
        ]
        return new, conflicts

    def _forget_in_flight(self, event_ids: Iterable[str]) -> None:
        for event_id in event_ids:
            self._in_flight.pop(event_id, None)

    def _new_reports(
        self, batch: Sequence[Received], claims: ExitStack, conflicts: list[Conflict]
    ) -> list[tuple[Received, bytes]]:
        """Return the records about stations that are not stored yet, with their lines; add to ``conflicts``."""
        new = [(item, status_line(item, item.record)) for item in batch if isinstance(item.record, Status)]
        health = [(item, item.record) for item in batch if isinstance(item.record, Health)]
        times = [microseconds(one.at) for _, one in health]
        wanted = [
            TimestampRequest(one.station, clamp_ns(at_us), str(at_us))
            for (_, one), at_us in zip(health, times, strict=True)
        ]
        new += new_reports(health, claims.enter_context(self._health.claim(wanted)), health_line, conflicts)
        effort = [(item, item.record) for item in batch if isinstance(item.record, Effort)]
        wanted = [TimestampRequest(one.station, clamp_ns(microseconds(one.start)), one.effort_id) for _, one in effort]
        new += new_reports(effort, claims.enter_context(self._effort.claim(wanted)), effort_line, conflicts)
        deployed = [(item, item.record) for item in batch if isinstance(item.record, Deployment)]
        wanted = [deployment_request(one) for _, one in deployed]
        places = claims.enter_context(self._deployments.claim(wanted))
        return new + new_reports(deployed, places, deployment_line, conflicts)

    def _rewrite_counts(self, event_ids: Iterable[str]) -> None:
        """Rewrite the detection points of events according to the latest verdicts.

        The rewrite is repeated if another verdict arrives meanwhile.
        """
        verdicts = self._listing.verdicts_of(event_ids)
        while verdicts:
            lines = []
            for stored in self._listing.stored(verdicts):
                event, found = stored.event, verdicts[stored.event.event_id]
                lines += detection_lines(event, stored.at_ns, found, self._existing(stored))
                lines.append(decision_line(event, stored.at_ns, stored.listed_us, found))
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
