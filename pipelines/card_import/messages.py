"""Messages of a card: what was found in its files, in the words of the contract."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from contract import (
    DeployedSensor,
    Deployment,
    Effort,
    Event,
    SetAside,
    encode,
    new_event_id,
)
from contract.codec import Record, kind_of
from contract.topics import topic_of
from edge.capture.visits import Visit, scores_of
from edge.detect import Companion
from edge.media_rank import is_urgent, media_message
from edge.outbox.message import OutboxMessage
from pipelines.card_import.card_files import CardFile
from pipelines.card_import.clock_corrections import ClockCorrection
from pipelines.card_import.deployments import CardDeployment
from pipelines.card_import.examine import Capture, Sensor

URGENT, NORMAL, REPORT = 0, 1, 2  # priorities of events and reports, as a station's
_NAME_CHARACTERS, _REASON_CHARACTERS, _NOTE_CHARACTERS = 255, 2_000, 2_000
_LONGEST_EFFORT = timedelta(days=30)  # of one record, so that queries of a period read few that reach into it


def content_id(*parts: str) -> str:
    """Return an id that is the same for the same content: a UUID of version 8 (RFC 9562, 5.8).

    A file that is imported again, though the ledger is lost, thus gives no second event.
    """
    digest = bytearray(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


class CardMessages:
    """Makes the messages of one import."""

    def __init__(self, prefix: str, imported_at: datetime) -> None:
        """Set the first levels of the topics, and the time of the import."""
        self._prefix = prefix
        self._imported_at = imported_at
        self._boot_id = new_event_id()
        self._sequence = 0

    def of_capture(
        self, file: CardFile, sensor: Sensor, sha256: str, number: int, capture: Capture, visit: Visit
    ) -> tuple[list[OutboxMessage], Visit]:
        """Return the messages of a capture, the event first, and the new state of its visit.

        Args:
            file: The file.
            sensor: Its sensor.
            sha256: Hash of its content.
            number: Number of the capture within the file.
            capture: What was found.
            visit: Its visit, in the state before it.
        """
        deployment = file.deployment
        event = Event(
            event_id=content_id("event", sha256, capture.kind, str(number)),
            station=deployment.station,
            sensor=sensor,
            deployment=deployment.deployment,
            captured_at=capture.captured_at,
            clock=capture.clock,
            boot_id=self._boot_id,
            sequence=self._sequence,
            capture=capture.kind,
            models=capture.models,
            detections=capture.detections,
            media=capture.media,
            duration_s=capture.duration_s,
            visit_id=visit.visit_id,
            location=deployment.location,
            imported_at=self._imported_at,
        )
        self._sequence += 1
        scores = scores_of(capture.detections, capture.sharpness)
        improves = visit.improved_by(scores)
        priority = URGENT if is_urgent(capture.detections) else NORMAL
        return [
            self._message(event, priority),
            *(self._media(event, one, improves) for one in capture.beside),
        ], visit.with_capture(capture.captured_at, scores, capture.duration_s)

    def set_aside(self, file: CardFile, sensor: Sensor, reason: str, analysed: bool = False) -> OutboxMessage:
        """Return the report of a file that cannot be used, or that is not in order although it could be."""
        report = SetAside(
            report_id=new_event_id(),
            station=file.deployment.station,
            sensor=sensor,
            at=self._imported_at,
            name=file.inside[-_NAME_CHARACTERS:],
            reason=reason[:_REASON_CHARACTERS],
            size=file.size,
            analysed=analysed,
        )
        return self._message(report, REPORT)

    def deployment(
        self, one: CardDeployment, sensors: Sequence[Sensor], corrections: Sequence[ClockCorrection]
    ) -> OutboxMessage:
        """Return the description of a deployment, with the corrections of its devices' clocks in its comments."""
        notes = [one.comments, *(str(correction) for correction in corrections)]
        record = Deployment(
            station=one.station,
            deployment=one.deployment,
            at=self._imported_at,
            sensors=tuple(DeployedSensor(name=name, kind=name, model=one.camera_model) for name in sensors),
            evidence_use="lead",
            start=one.start,
            end=one.end,
            location=one.location,
            location_name=one.location_name,
            setup_by=one.setup_by,
            habitat=one.habitat,
            timestamp_issues=True if corrections else None,
            comments="; ".join(filter(None, notes))[:_NOTE_CHARACTERS],
            imported_at=self._imported_at,
        )
        return self._message(record, REPORT)

    def effort(
        self, one: CardDeployment, sensor: Sensor, start: datetime, end: datetime, captures: int, note: str
    ) -> Iterator[OutboxMessage]:
        """Yield the effort of a sensor that watched, in records of at most 30 days."""
        for piece_start, piece_end in _pieces(start, end):
            yield self._effort(one, sensor, piece_start, piece_end, captures, note, fault=False)
            captures = 0

    def fault(self, one: CardDeployment, sensor: Sensor, start: datetime, end: datetime) -> Iterator[OutboxMessage]:
        """Yield the effort of a sensor that did not work, in records of at most 30 days."""
        for piece_start, piece_end in _pieces(start, end):
            yield self._effort(one, sensor, piece_start, piece_end, 0, "camera fault, from the table", fault=True)

    def _effort(
        self, one: CardDeployment, sensor: Sensor, start: datetime, end: datetime, captures: int, note: str, fault: bool
    ) -> OutboxMessage:
        record = Effort(
            effort_id=new_event_id(),
            station=one.station,
            sensor=sensor,
            deployment=one.deployment,
            start=start,
            end=end,
            watching=not fault,
            gap="broken" if fault else None,
            captures=captures,
            note=note,
            imported_at=self._imported_at,
        )
        return self._message(record, REPORT)

    def _message(self, record: Record, priority: int) -> OutboxMessage:
        topic = topic_of(self._prefix, record.station, kind_of(record))
        return OutboxMessage(topic, encode(record), priority)

    def _media(self, event: Event, one: Companion, improves_visit: bool) -> OutboxMessage:
        return media_message(topic_of(self._prefix, event.station, "media"), event, one, improves_visit)


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        piece_end = min(end, start + _LONGEST_EFFORT)
        yield start, piece_end
        start = piece_end
