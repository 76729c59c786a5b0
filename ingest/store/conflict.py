"""Detection of conflicts: records whose id the store has already, with other content."""

import hashlib

import msgspec

from contract.identity import content_sha256
from contract.validation import decode_stored
from ingest.store.port import Conflict, Received, Storable


def conflict_with(item: Received, stored: Storable) -> Conflict | None:
    """Return the conflict between a received and a stored record with the same id; None if their content is equal."""
    if item.record == stored:
        return None
    received_sha256, stored_sha256 = content_sha256(item.record), content_sha256(stored)
    return None if received_sha256 == stored_sha256 else Conflict(item, stored.station, stored_sha256, received_sha256)


def conflict_with_payload(item: Received, payload: bytes) -> Conflict | None:
    """Return the conflict between a received record and the payload of a stored one with the same id.

    A payload that this contract version no longer accepts conflicts unless its bytes are equal; its hash is then that
    of its bytes.
    """
    if payload == item.payload:
        return None
    try:
        stored = decode_stored(payload, type(item.record))
    except msgspec.MsgspecError:
        return Conflict(item, "", hashlib.sha256(payload).hexdigest(), content_sha256(item.record))
    return conflict_with(item, stored)
