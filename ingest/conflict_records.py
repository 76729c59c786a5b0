"""Quarantine records of conflicts: messages whose id is known already, with other content."""

import hashlib
from datetime import datetime

from casebook.records import PAYLOAD_KEPT_BYTES, MediaConflict, Quarantined
from contract import MediaContent
from contract.codec import kind_of
from contract.identity import content_sha256
from ingest.store.port import Conflict

REASON = "conflict"


def conflict_record(conflict: Conflict) -> Quarantined:
    """Return the quarantine record of a record that the detection store did not take; equal for redeliveries."""
    item = conflict.received
    record = item.record
    kind = kind_of(record)
    name = next((getattr(record, one) for one in ("event_id", "effort_id", "deployment") if hasattr(record, one)), "")
    stored = f" of station {conflict.stored_station}" if conflict.stored_station else ""
    return Quarantined(
        id=hashlib.sha256(f"{REASON} {item.topic}\0".encode(errors="replace") + item.payload).hexdigest(),
        source="message",
        at=item.received_at,
        topic=item.topic.encode(errors="replace").decode(),
        station=record.station,
        reason=REASON,
        detail=f"{kind} {name or record.station}: a record{stored} with this id and other content was stored before "
        f"(stored sha256 {conflict.stored_sha256}, received sha256 {conflict.received_sha256})",
        payload=item.payload[:PAYLOAD_KEPT_BYTES],
        size=len(item.payload),
    )


def media_conflict_record(content: MediaContent, at: datetime, conflict: MediaConflict) -> Quarantined:
    """Return the quarantine record of media whose hash is known with another type or station."""
    known = conflict.known
    return Quarantined(
        id=content_sha256(content),
        source="message",
        at=at,
        topic="",
        station=content.station,
        reason=REASON,
        detail=f"media of event {content.event_id}: the same content was stored before as {known.type} of station "
        f"{known.station} and event {known.event_id}, and was received as {content.type} of station {content.station} "
        f"(stored sha256 {known.sha256}, received sha256 {content.sha256})",
        payload=content.data[:PAYLOAD_KEPT_BYTES],
        size=len(content.data),
    )
