"""Encoding, decoding and validation of messages; a decoded message needs no further checks."""

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec
import uuid_utils

from contract.commands import Answer, MediaPart
from contract.deployment import Deployment
from contract.errors import InvalidInput
from contract.messages import SCHEMA, Effort, Event, Health, MediaContent, SetAside, Status
from contract.topics import CHANNELS, KINDS, MAJOR, REVOKED_SUFFIX, Kind, parse_topic
from contract.validation import describe_refusal, time_problem

Record = Event | Status | Health | Effort | SetAside | MediaContent | Deployment | Answer | MediaPart
Reason = Literal["topic", "version", "size", "syntax", "shape", "station", "hash", "type", "revoked"]

# An event with 100 detections is about 20 kB, and a 60 s clip about 1 MB; the limits are about ten times that.
LIMIT_BYTES: Mapping[Kind, int] = {
    "event": 256_000,
    "status": 4_000,
    "health": 16_000,
    "effort": 16_000,
    "setaside": 16_000,
    "media": 8_000_000,
    "deployment": 128_000,
    "answer": 64_000,
    "part": 140_000,
}

_TYPES: Mapping[Kind, type[Record]] = {
    "event": Event,
    "status": Status,
    "health": Health,
    "effort": Effort,
    "setaside": SetAside,
    "media": MediaContent,
    "deployment": Deployment,
    "answer": Answer,
    "part": MediaPart,
}
PACKED: frozenset[Kind] = frozenset({"media", "part"})  # with bytes of files, in MessagePack
_BY_NAME: Mapping[str, Kind] = {kind: kind for kind in KINDS}
_KIND_OF: Mapping[type[Record], Kind] = {kind_type: kind for kind, kind_type in _TYPES.items()}


class _Header(msgspec.Struct):
    """Part of a message that is decoded first: its schema version, which every message contains."""

    schema: str


_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_decoders: Mapping[Kind, msgspec.json.Decoder[Record] | msgspec.msgpack.Decoder[Record]] = {
    kind: msgspec.msgpack.Decoder(_TYPES[kind]) if kind in PACKED else msgspec.json.Decoder(_TYPES[kind])
    for kind in KINDS
}
_json_header = msgspec.json.Decoder(_Header)
_msgpack_header = msgspec.msgpack.Decoder(_Header)


class Malformed(InvalidInput):
    """Raised when a message is invalid; the receiver quarantines the message and records ``reason`` with it.

    Attributes:
        reason: Category for metrics: topic, version, size, syntax, shape, station, hash or type.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def new_event_id() -> str:
    """Return a new UUIDv7 (RFC 9562), an identifier that sorts by its creation time."""
    return str(uuid_utils.uuid7())


def kind_of(record: Record) -> Kind:
    """Return the message kind of a record, which is the last level of the record's topic."""
    return _KIND_OF[type(record)]


def encode(record: Record) -> bytes:
    """Encode a record as a message payload: MessagePack for media content and parts, JSON for all other records."""
    return _msgpack.encode(record) if isinstance(record, MediaContent | MediaPart) else _json.encode(record)


def decode(topic: str, payload: bytes) -> Record:
    """Decode a message payload and validate it against the topic on which it was received.

    Unknown fields are ignored; they remain in the stored payload.

    Raises:
        Malformed: the topic, version, size, syntax, shape, station or hash is not valid, or the password was revoked.
    """
    try:
        parsed = parse_topic(topic)
    except ValueError as error:
        raise Malformed("topic", str(error)) from error
    if parsed.major != MAJOR:
        raise Malformed("version", f"topic {topic!r} has version {parsed.major}; this server reads version {MAJOR}")
    kind = _BY_NAME.get(parsed.kind)
    if kind is None and parsed.kind.endswith(REVOKED_SUFFIX):
        raise Malformed("revoked", "published with a password that was revoked or replaced before the message arrived")
    if kind is None:
        raise Malformed("topic", f"kind {parsed.kind!r}: expected one of {', '.join(KINDS)}")
    if len(payload) > LIMIT_BYTES[kind]:
        raise Malformed("size", f"{len(payload)} bytes of {kind}: expected at most {LIMIT_BYTES[kind]}")
    record = _read(kind, payload)
    if problem := time_problem(record):
        raise Malformed("shape", problem)
    if record.station != parsed.station:
        raise Malformed("station", f"payload of station {record.station!r} on the topic of {parsed.station!r}")
    if isinstance(record, MediaContent) and hashlib.sha256(record.data).hexdigest() != record.sha256:
        raise Malformed("hash", f"content of {record.role} of event {record.event_id} does not match its sha256")
    return record


def is_probe(topic: str, payload: bytes) -> bool:
    """Return whether a message is a permission probe: an empty payload that a station sends to test a topic."""
    if payload:
        return False
    try:
        parsed = parse_topic(topic)
    except ValueError:
        return False
    return parsed.major == MAJOR and parsed.kind in KINDS


def is_to_station(topic: str) -> bool:
    """Return whether a message is one that the server tells a station; its own subscription receives it too."""
    if topic.rpartition("/")[2] not in CHANNELS:
        return False
    try:
        return parse_topic(topic).major == MAJOR
    except ValueError:
        return False


def _read(kind: Kind, payload: bytes) -> Record:
    try:
        schema = (_msgpack_header if kind in PACKED else _json_header).decode(payload).schema
        if schema != SCHEMA:
            _check_version(schema)
        return _decoders[kind].decode(payload)
    except msgspec.ValidationError as error:
        decode_any = msgspec.msgpack.decode if kind in PACKED else msgspec.json.decode
        raise Malformed("shape", describe_refusal(error, lambda: decode_any(payload))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("syntax", str(error)) from error


def _check_version(schema: str) -> None:
    major, _, minor = schema.partition(".")
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()):
        raise Malformed("shape", f"schema {schema[:50]!r}: expected a version such as {MAJOR}.0")
    if int(major[:9]) != MAJOR:
        raise Malformed("version", f"schema {schema[:50]!r}: this server reads version {MAJOR}")
