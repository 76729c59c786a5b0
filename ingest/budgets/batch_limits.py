"""Limits on what a batch may leave in quarantine and in the media store, and the report of what was dropped."""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from casebook.casebook import Casebook
from casebook.records import Quarantined
from contract import Event
from ingest.budgets.options import EXCERPTS, BudgetOptions
from ingest.budgets.tally import OTHER, BudgetTally, StationTally
from ingest.budgets.token_bucket import TokenBuckets
from ingest.budgets.unclaimed_media import UnclaimedMedia
from ingest.receive.batch import Batch
from ingest.store.port import EventQuery, Store

EXCERPT_BYTES = 256  # of the payload of an unreadable message over the budget
_REPORT_S = 10.0
_PRUNE_EVERY = 100  # new records in quarantine between two checks of its size
_FAR_OVER = 5  # hourly budgets held back in an hour that raise an alert; the backlog of a month has fewer
_IDS_PER_QUERY = 500


class BatchLimits:
    """Limits of all stations; thread-safe. Counts are in memory: a restart begins the hour anew."""

    def __init__(
        self,
        options: BudgetOptions,
        store: Store,
        casebook: Casebook,
        tally: BudgetTally,
        overloaded: Callable[[str, datetime], None] = lambda station, at: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the limits.

        Args:
            options: Budgets.
            store: Asked for the events of media over the limit.
            casebook: Holds the quarantine.
            tally: Counts what is dropped.
            overloaded: Called with a station that is far over its budget or lost something, and the time.
            clock: Monotonic clock in seconds.
        """
        self._options = options
        self._store = store
        self._casebook = casebook
        self._tally = tally
        self._overloaded = overloaded
        self._clock = clock
        rate_hz = options.quarantine_per_hour / 3600
        self._whole = TokenBuckets(rate_hz, options.quarantine_per_hour, clock)
        self._excerpts = TokenBuckets(EXCERPTS * rate_hz, EXCERPTS * options.quarantine_per_hour, clock)
        self._media = UnclaimedMedia(self._stored, options.unclaimed_megabytes * 1_000_000, clock)
        self._lock = threading.Lock()
        # While a batch exists, so that one that is retried is counted once.
        self._admitted: WeakKeyDictionary[Batch, Batch] = WeakKeyDictionary()
        self._added = _PRUNE_EVERY  # so that the first record makes it check what an earlier run left
        self._reported_at = clock()
        self._run = uuid.uuid4().hex
        self._hours: dict[tuple[str, str], StationTally] = {}

    def admit(self, batch: Batch) -> Batch:
        """Return the part of a batch that may be stored; the same for a batch that is retried.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        with self._lock:
            self._media.claim(_event_ids(batch))
            if not batch.unusable and not batch.contents:
                return batch
            known = self._admitted.get(batch)
            if known is not None:
                return known
            fits = self._media.admit([content for content, _ in batch.contents])
            contents = []
            for fit, (content, at) in zip(fits, batch.contents, strict=True):
                if fit:
                    contents.append((content, at))
                else:
                    self._tally.add(content.station, unclaimed=1, unclaimed_bytes=len(content.data))
            unusable = [kept for item in batch.unusable if (kept := self._limited(item)) is not None]
            admitted = self._admitted[batch] = replace(batch, contents=contents, unusable=unusable)
            return admitted

    def conclude(self, quarantined: int) -> None:
        """Bound the quarantine after a batch was stored, and report what was dropped, every ten seconds.

        Args:
            quarantined: New records of the batch in quarantine.

        Raises:
            StoreUnavailable: the casebook did not answer; nothing of the report is lost.
        """
        with self._lock:
            self._added += quarantined
            if self._added > _PRUNE_EVERY:
                self._added = 0
                for station, count in self._casebook.prune_quarantine().items():
                    self._tally.add(station, evicted=count)
            if self._clock() - self._reported_at >= _REPORT_S:
                self._reported_at = self._clock()
                self.report(datetime.now(UTC))

    def report(self, now: datetime) -> None:
        """Write what was dropped to the quarantine, one record for each station and hour, and raise alerts."""
        hour = now.strftime("%Y-%m-%dT%H")
        for key in [key for key in self._hours if key[1] != hour]:
            del self._hours[key]
        for station, new in self._tally.take().items():
            total = self._hours.setdefault((station, hour), StationTally())
            total += new
            if total.dropped:
                self._casebook.put_quarantined(self._summary(station, hour, total, now))
            far_over = total.held_back > _FAR_OVER * self._options.messages_per_hour
            if total.dropped or far_over or total.held_back_bytes > _FAR_OVER * self._options.megabytes_per_hour * 1e6:
                self._overloaded(station, now)

    def _limited(self, item: Quarantined) -> Quarantined | None:
        if item.source == "station":
            return item  # a readable report of a station about a file of its own
        station = item.station or OTHER
        if self._whole.take(station):
            return item
        if self._excerpts.take(station):
            return replace(item, payload=item.payload[:EXCERPT_BYTES])
        self._tally.add(station, unreadable=1, unreadable_bytes=item.size)
        return None

    def _summary(self, station: str, hour: str, total: StationTally, now: datetime) -> Quarantined:
        detail = (
            f"{total.unreadable:,} unreadable messages ({total.unreadable_bytes / 1e6:.1f} MB) and {total.unclaimed:,} "
            f"media without an event ({total.unclaimed_bytes / 1e6:.1f} MB) over the budget of this station in this "
            "hour were counted and not kept"
        )
        return Quarantined(
            id=hashlib.sha256(f"budget\0{station}\0{hour}\0{self._run}".encode()).hexdigest(),
            source="message",
            at=now,
            topic="",
            station="" if station == OTHER else station,
            reason="budget",
            detail=detail,
            payload=b"",
            size=total.unreadable_bytes + total.unclaimed_bytes,
        )

    def _stored(self, event_ids: Sequence[str]) -> Iterable[str]:
        found: list[str] = []
        for start in range(0, len(event_ids), _IDS_PER_QUERY):
            ids = tuple(event_ids[start : start + _IDS_PER_QUERY])
            found += [event.event_id for event in self._store.events(EventQuery(event_ids=ids, limit=len(ids)))]
        return found


def _event_ids(batch: Batch) -> list[str]:
    return [item.record.event_id for item in batch.records if isinstance(item.record, Event)]
