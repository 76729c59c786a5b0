"""JSON documents of the bundle format: the manifest of a bundle, and the receipt that a server writes for it."""

import hashlib
import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from contract.bounds import Count, FileName, Moment, Name, Note, OptionalText, Schema, Sha256
from contract.errors import InvalidInput
from contract.validation import describe_refusal, time_problem

FORMAT = "1.0"
SUFFIX = ".wildpost.tar"
RECEIPT_SUFFIX = ".receipt.json"
MAX_ENTRIES = 100_000  # in one bundle
MAX_DOCUMENT_BYTES = 32_000_000  # of a manifest or receipt; 100,000 entries take about 20 MB
MAX_PROBLEMS = 20  # listed in a receipt

_NAME = re.compile(r"(?P<station>[A-Za-z0-9][A-Za-z0-9_-]{0,62})-\d{8}T\d{6}Z-[0-9a-f]{12}" + re.escape(SUFFIX))


class BundleUnreadable(InvalidInput):
    """Raised when a bundle or receipt cannot be read at all; the message names the file and the reason."""


class BundleEntry(Struct, frozen=True, gc=False, kw_only=True):
    """One message in a bundle.

    Attributes:
        number: Number of the message in the station's outbox.
        topic: The MQTT topic under which it would have been published.
        size: Bytes of the payload.
        sha256: Hash of the topic and the payload, see ``message_sha256``.
    """

    number: Count
    topic: Annotated[str, Meta(min_length=1, max_length=500)]
    size: Count
    sha256: Sha256


class Manifest(Struct, frozen=True, kw_only=True):
    """Table of contents of a bundle; its entries are in the outbox's sending order, the most urgent first."""

    station: Name
    created_at: Moment
    entries: Annotated[tuple[BundleEntry, ...], Meta(max_length=MAX_ENTRIES)]
    format: Schema = FORMAT
    wildpost: OptionalText = ""


class ReceivedEntry(Struct, frozen=True, gc=False, kw_only=True):
    """A message that the server has stored or quarantined."""

    number: Count
    sha256: Sha256


class Receipt(Struct, frozen=True, kw_only=True):
    """Record of the messages that a server has received from one bundle.

    Attributes:
        station: Station of the bundle; "" if the bundle is unreadable and its file name does not give a station.
        bundle: File name of the bundle.
        received_at: Time at which the last message was durable.
        entries: The messages that the station may delete.
        refused: Number of messages that were missing, damaged or not the station's own; they are not in ``entries``.
        problems: Reasons for the refusals, in words; at most 20.
    """

    station: Annotated[str, Meta(max_length=63)]
    bundle: FileName
    received_at: Moment
    entries: Annotated[tuple[ReceivedEntry, ...], Meta(max_length=MAX_ENTRIES)]
    refused: Count = 0
    problems: Annotated[tuple[Note, ...], Meta(max_length=MAX_PROBLEMS)] = ()
    format: Schema = FORMAT


class _Document(Struct, frozen=True):
    """Outer JSON object of a manifest or receipt; a signature covers the exact bytes of ``signed``."""

    signed: Raw
    signature: str | None = None  # none are made yet


Content = TypeVar("Content", Manifest, Receipt)


def message_sha256(topic: str, payload: bytes) -> str:
    """Return the hash that identifies a message: SHA-256 of the topic, a zero byte and the payload."""
    return hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest()


def encode_document(content: Manifest | Receipt) -> bytes:
    """Encode a manifest or receipt as JSON."""
    return msgspec.json.encode(_Document(Raw(msgspec.json.encode(content))))


def decode_document(document: bytes, kind: type[Content]) -> Content:
    """Decode a manifest or receipt from JSON.

    Raises:
        BundleUnreadable: it is not JSON, lacks a field, or has a later major version.
    """
    signed: bytes = b""
    try:
        signed = bytes(msgspec.json.decode(document, type=_Document).signed)
        content = msgspec.json.decode(signed, type=kind)
    except msgspec.ValidationError as error:
        problem = describe_refusal(error, lambda: msgspec.json.decode(signed))
        raise BundleUnreadable(f"{kind.__name__.lower()}: {problem}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleUnreadable(f"{kind.__name__.lower()}: {error}") from error
    if content.format.partition(".")[0] != FORMAT.partition(".")[0]:
        raise BundleUnreadable(f"{kind.__name__.lower()}: format {content.format[:20]!r}; expected {FORMAT}")
    if problem := time_problem(content):
        raise BundleUnreadable(f"{kind.__name__.lower()}: {problem}")
    return content


def bundle_name(manifest: Manifest, document: bytes) -> str:
    """Return a bundle's file name, which FAT file systems allow: station, time and hash of the manifest.

    Args:
        manifest: The manifest.
        document: Its JSON.
    """
    at: datetime = manifest.created_at
    return f"{manifest.station}-{at:%Y%m%dT%H%M%SZ}-{hashlib.sha256(document).hexdigest()[:12]}{SUFFIX}"


def station_in_name(name: str) -> str:
    """Return the station in a bundle's file name, or "" if ``bundle_name`` cannot return this name."""
    found = _NAME.fullmatch(name)
    return found["station"] if found else ""
