"""Decoding of received messages into records, media and quarantined input."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from casebook.records import PAYLOAD_KEPT_BYTES, Quarantined
from contract import Malformed, MediaContent, Record, SetAside, decode, is_probe, parse_topic
from contract.codec import is_to_station
from contract.commands import Answer, MediaPart
from contract.event_chain import has_valid_signature
from contract.supervision import describe_exception
from ingest.media.content_type import check_type
from ingest.store.port import Received

NO_TOPIC = "?"  # stands for a topic that is not UTF-8, which MQTT forbids; its payload goes to quarantine


class ReceivedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as received from the broker, with its time of arrival."""

    topic: str
    payload: bytes
    at: datetime


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Batch:
    """Decoded messages, sorted into records, media and quarantined input; equal only to itself, as a key of a mapping.

    Attributes:
        received: Number of messages.
        records: Records for the detection store.
        contents: Thumbnails and clips, each with its time of arrival.
        unusable: Quarantine records: undecodable messages, and reports of files that stations set aside.
        answers: Answers of stations to commands and settings, each with its time of arrival.
        parts: Parts of originals that were asked for.
    """

    received: int
    records: list[Received] = field(default_factory=list)
    contents: list[tuple[MediaContent, datetime]] = field(default_factory=list)
    unusable: list[Quarantined] = field(default_factory=list)
    answers: list[tuple[Answer, datetime]] = field(default_factory=list)
    parts: list[MediaPart] = field(default_factory=list)


def read_batch(arrived: Sequence[ReceivedMessage]) -> Batch:
    """Decode messages into a batch without storing anything; undecodable messages become quarantined input."""
    batch = Batch(len(arrived))
    for message in arrived:
        if is_probe(message.topic, message.payload):
            continue  # a station tests its right to publish; the acknowledgement is the whole answer
        if is_to_station(message.topic):
            continue
        try:
            record = decode(message.topic, message.payload)
            check_type(record)
            _check_signature(record, message.payload)
        except Malformed as reason:
            batch.unusable.append(_unusable(message, reason))
            continue
        if isinstance(record, MediaContent):
            batch.contents.append((record, message.at))
        elif isinstance(record, Answer):
            batch.answers.append((record, message.at))
        elif isinstance(record, MediaPart):
            batch.parts.append(record)
        elif isinstance(record, SetAside):
            batch.unusable.append(_set_aside(message, record))
        else:
            batch.records.append(Received(record, message.payload, message.at, message.topic))
    return batch


def _check_signature(record: Record, payload: bytes) -> None:
    if isinstance(record, Answer) and not has_valid_signature(payload, record.key):
        raise Malformed("hash", f"answer to {record.kind} {record.serial}: not signed by the key that it names")


def failed_message(message: ReceivedMessage, error: BaseException) -> Quarantined:
    """Return the quarantine record of a valid message at which the server fails with an unexpected exception."""
    return _quarantined(message, "error", f"the server fails at this message: {describe_exception(error)}")


def topic_text(raw: bytes) -> str:
    """Decode the topic bytes of a packet as UTF-8; return ``NO_TOPIC`` if the bytes are not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return NO_TOPIC


def kind_and_station(topic: str) -> tuple[str, str]:
    """Return the kind and the station in a topic; "?" and "" if the topic has another form."""
    try:
        parsed = parse_topic(topic)
    except ValueError:
        return "?", ""
    return parsed.kind, parsed.station


def _unusable(message: ReceivedMessage, reason: Malformed) -> Quarantined:
    return _quarantined(message, reason.reason, reason.detail)


def _quarantined(message: ReceivedMessage, reason: str, detail: str) -> Quarantined:
    return Quarantined(
        id=hashlib.sha256(message.topic.encode(errors="replace") + b"\0" + message.payload).hexdigest(),
        source="message",
        at=message.at,
        topic=_storable(message.topic),
        station=_storable(kind_and_station(message.topic)[1]),
        reason=reason,
        detail=_storable(detail)[:2000],
        payload=message.payload[:PAYLOAD_KEPT_BYTES],
        size=len(message.payload),
    )


def _set_aside(message: ReceivedMessage, report: SetAside) -> Quarantined:
    return Quarantined(
        id=report.report_id,
        source="station",
        at=message.at,
        topic=_storable(message.topic),
        station=report.station,
        reason="remark" if report.analysed else "file",
        detail=_storable(report.reason),
        payload=message.payload[:PAYLOAD_KEPT_BYTES],
        size=report.size,
        name=_storable(report.name),
    )


def _storable(text: str) -> str:
    # A lone surrogate is not UTF-8, and PostgreSQL rejects NUL: neither may prevent storing the record.
    return text.encode(errors="replace").decode().replace("\0", "�")
