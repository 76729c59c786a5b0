"""Keeps what came in: what cannot be read goes to quarantine, the rest to media, store and rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from casebook.casebook import Casebook
from casebook.records import MediaEntry, Quarantined
from contract import Event, MediaContent
from ingest.media.port import MediaStore
from ingest.metrics.intake_metrics import IntakeMetrics, ages_s
from ingest.receive.batch import Batch
from ingest.rules.incident_service import EvaluatedEvent, IncidentService
from ingest.rules.rule_set import RuleSet
from ingest.store.port import Store, WriteResult


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of messages.

    Attributes:
        received: How many there were.
        stored: New records in the store.
        repeated: Records the store had already: delivered again.
        events: Events among the new and the repeated.
        media: Thumbnails and clips, new or again.
        quarantined: New records in quarantine, stations' reports included.
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
    """What the first part of keeping a batch came to: new records in quarantine, and in the store."""

    quarantined: int
    written: WriteResult


class Intake:
    """Makes a batch of messages durable in two parts, each harmless to repeat; after both it may be acknowledged."""

    def __init__(
        self,
        store: Store,
        casebook: Casebook,
        media: MediaStore,
        rules: RuleSet,
        incidents: IncidentService | None = None,
        metrics: IntakeMetrics | None = None,
    ) -> None:
        self._store = store
        self._casebook = casebook
        self._media = media
        self._rules = rules
        self._incidents = incidents
        self._metrics = metrics or IntakeMetrics()

    @property
    def max_concurrent_batches(self) -> int:
        """How many batches may be stored at once."""
        return self._store.max_concurrent_batches

    def store(self, batch: Batch) -> StoredBatch:
        """Do the first part of keeping a batch, which does not depend on what came before it.

        Raises:
            StoreUnavailable: store or casebook did not take it: nothing may be acknowledged, all of it comes again.
            OSError: the media have no room: the same.
        """
        quarantined = self._casebook.quarantine(*batch.unusable) if batch.unusable else 0
        self._keep_media(batch.contents)
        with self._metrics.store_s.time():
            written = self._store.write(batch.records) if batch.records else WriteResult(new=0, repeated=0)
        return StoredBatch(quarantined, written)

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        """Do the second part, in the order in which batches came: rules, flags, incidents.

        Raises:
            StoreUnavailable: as ``store``.
        """
        records = batch.records
        # Flags last, and again for repeats: killed right before this line, the message comes again and is flagged then.
        events = [(item.record, item.received_at) for item in records if isinstance(item.record, Event)]
        judged = self._judge(events)
        flags = [flag for one in judged for flag in one.flags]
        flagged = self._casebook.add_flags(flags) if flags else 0
        if self._incidents:
            self._incidents.record(judged, records)
        taken = BatchResult(
            received=batch.received,
            stored=stored.written.new,
            repeated=stored.written.repeated,
            events=len(events),
            media=len(batch.contents),
            quarantined=stored.quarantined,
            flagged=flagged,
        )
        self._count(taken, batch.unusable, [event for event, _ in events])
        return taken

    def _count(self, taken: BatchResult, unusable: Sequence[Quarantined], events: Sequence[Event]) -> None:
        names = ("received", "stored", "repeated", "events", "media", "flagged")
        self._metrics.record_batch(
            {name: getattr(taken, name) for name in names},
            [item.reason for item in unusable],
            ages_s([event.captured_at for event in events], datetime.now(UTC)),
        )

    def _judge(self, events: Sequence[tuple[Event, datetime]]) -> list[EvaluatedEvent]:
        if self._incidents:
            return self._incidents.evaluate(events)
        return [EvaluatedEvent(event, at, tuple(self._rules.evaluate(event, at))) for event, at in events]

    def _keep_media(self, contents: Sequence[tuple[MediaContent, datetime]]) -> None:
        for content, _ in contents:
            self._media.put(content.data, content.sha256)
        if contents:
            self._casebook.add_media(
                [
                    MediaEntry(
                        content.event_id,
                        content.sha256,
                        content.type,
                        content.role,
                        len(content.data),
                        content.station,
                        at,
                    )
                    for content, at in contents
                ]
            )
