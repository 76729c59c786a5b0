"""Processing of message batches: first storing their content, then applying rules and recording incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from casebook.casebook import Casebook
from casebook.event_chain import EventChains
from casebook.incidents.database import Database
from casebook.media_parts import MediaParts
from casebook.records import MediaEntry, Quarantined
from casebook.station_commands import StationCommands
from contract import Event, MediaContent
from ingest.budgets.batch_limits import BatchLimits
from ingest.chained_events import chained_events
from ingest.conflict_records import conflict_record, media_conflict_record
from ingest.media.port import MediaStore
from ingest.metrics.intake_metrics import IntakeMetrics, ages_s
from ingest.receive.batch import Batch
from ingest.remote.originals import Originals
from ingest.rules.incident_service import EvaluatedEvent, IncidentService
from ingest.rules.rule_set import RuleSet
from ingest.store.port import Store, WriteResult


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Counts of the messages processed in one or more batches.

    Attributes:
        received: Messages received.
        stored: New records in the store.
        repeated: Redelivered records that the store had already.
        events: Events among the new and the repeated records.
        media: Thumbnails and clips, new or redelivered.
        quarantined: New records in quarantine, including reports by stations.
        flagged: New flags.
    """

    received: int = 0
    stored: int = 0
    repeated: int = 0
    events: int = 0
    media: int = 0
    quarantined: int = 0
    flagged: int = 0

    def __add__(self, other: "BatchResult") -> "BatchResult":
        return BatchResult(*(getattr(self, name) + getattr(other, name) for name in BatchResult.__slots__))


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """Result of ``Intake.store``: the number of new quarantine records, and the detection store's write result.

    ``conflicts`` are the quarantine records of messages that contradict stored ones; rules are not applied to these.
    """

    quarantined: int
    written: WriteResult
    conflicts: tuple[Quarantined, ...] = ()


class Intake:
    """Processor that makes a batch of messages durable in two idempotent steps, ``store`` and ``conclude``.

    After both steps, the batch may be acknowledged to the broker.
    """

    def __init__(
        self,
        store: Store,
        casebook: Casebook,
        media: MediaStore,
        rules: RuleSet,
        incidents: IncidentService | None = None,
        metrics: IntakeMetrics | None = None,
        limits: BatchLimits | None = None,
    ) -> None:
        self._limits = limits
        self._store = store
        self._casebook = casebook
        database = Database(casebook.engine)
        self._chains = EventChains(database)
        self._commands = StationCommands(database)
        self._originals = Originals(MediaParts(database), self._commands, media, casebook)
        self._media = media
        self._rules = rules
        self._incidents = incidents
        self._metrics = metrics or IntakeMetrics()

    @property
    def max_concurrent_batches(self) -> int:
        """Maximum number of batches that ``store`` may write concurrently."""
        return self._store.max_concurrent_batches

    def store(self, batch: Batch) -> StoredBatch:
        """Store the quarantined input, media and records of a batch, as the first of two steps.

        Batches may be stored in any order.

        Raises:
            StoreUnavailable: store or casebook failed; the batch must not be acknowledged and will be redelivered.
            OSError: the disk for media is full; likewise.
        """
        kept = self._limits.admit(batch) if self._limits else batch
        quarantined = self._casebook.quarantine(*kept.unusable) if kept.unusable else 0
        conflicts = self._keep_media(kept.contents)
        if kept.answers:
            self._commands.record(kept.answers)
        if kept.parts:
            self._originals.add(kept.parts)
        with self._metrics.store_s.time():
            written = self._store.write(batch.records) if batch.records else WriteResult(new=0, repeated=0)
        conflicts += [conflict_record(one) for one in written.conflicts]
        if conflicts:
            quarantined += self._casebook.quarantine(*conflicts)
        return StoredBatch(quarantined, written, tuple(conflicts))

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        """Record the flags and incidents of a stored batch, as the second of two steps.

        Batches must be concluded in the order in which they arrived.

        Raises:
            StoreUnavailable: as for ``store``.
        """
        refused = {id(one.received) for one in stored.written.conflicts}
        records = [item for item in batch.records if id(item) not in refused] if refused else batch.records
        # Flags come last and include repeated events: after a crash right here, the redelivered event is flagged.
        corrected = stored.written.corrected
        events = [
            (corrected.get(item.record.event_id, item.record), item.received_at)
            for item in records
            if isinstance(item.record, Event)
        ]
        evaluated = self._evaluate(events)
        flags = [flag for one in evaluated for flag in one.flags]
        flagged = self._casebook.add_flags(flags) if flags else 0
        if self._incidents:
            self._incidents.record(evaluated, records)
        if chained := chained_events(records):
            self._chains.record(chained)
        result = BatchResult(
            received=batch.received,
            stored=stored.written.new,
            repeated=stored.written.repeated,
            events=len(events),
            media=len(batch.contents),
            quarantined=stored.quarantined,
            flagged=flagged,
        )
        if self._limits:
            self._limits.conclude(stored.quarantined)
        self._metrics.answers.inc(len(batch.answers) + len(batch.parts))
        self._count(result, [*batch.unusable, *stored.conflicts], [event for event, _ in events])
        return result

    def _count(self, result: BatchResult, unusable: Sequence[Quarantined], events: Sequence[Event]) -> None:
        names = ("received", "stored", "repeated", "events", "media", "flagged")
        self._metrics.record_batch(
            {name: getattr(result, name) for name in names},
            [item.reason for item in unusable],
            ages_s([event.captured_at for event in events], datetime.now(UTC)),
        )

    def _evaluate(self, events: Sequence[tuple[Event, datetime]]) -> list[EvaluatedEvent]:
        if self._incidents:
            return self._incidents.evaluate(events)
        return [EvaluatedEvent(event, at, tuple(self._rules.evaluate(event, at))) for event, at in events]

    def _keep_media(self, contents: Sequence[tuple[MediaContent, datetime]]) -> list[Quarantined]:
        """Store media with their entries, and return the quarantine records of those that contradict earlier ones."""
        if contents:
            self._media.put_all({content.sha256: content.data for content, _ in contents})
        entries = [_entry(content, at) for content, at in contents]
        conflicts = {id(one.entry): one for one in self._casebook.add_media(entries)} if entries else {}
        return [
            media_conflict_record(content, at, conflicts[id(entry)])
            for (content, at), entry in zip(contents, entries, strict=True)
            if id(entry) in conflicts
        ]


def _entry(content: MediaContent, at: datetime) -> MediaEntry:
    size = len(content.data)
    return MediaEntry(content.event_id, content.sha256, content.type, content.role, size, content.station, at)
