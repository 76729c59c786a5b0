"""A second report of a station with a known id and other content, as a quarantine record of its own."""

import hashlib
from dataclasses import replace

import msgspec

from casebook.records import Quarantined
from contract import SetAside
from contract.identity import content_sha256
from contract.validation import decode_stored


def conflict_of(item: Quarantined, stored_station: str, stored_payload: bytes) -> Quarantined | None:
    """Return the conflict record of a report; None if its content equals that of the stored report with its id."""
    stored_sha256, received_sha256 = _report_sha256(stored_payload), _report_sha256(item.payload)
    if stored_sha256 == received_sha256:
        return None
    return replace(
        item,
        id=hashlib.sha256(f"conflict {item.id} {received_sha256}".encode()).hexdigest(),
        source="message",
        reason="conflict",
        detail=f"setaside {item.id}: a report of station {stored_station} with this id and other content was "
        f"stored before (stored sha256 {stored_sha256}, received sha256 {received_sha256})",
    )


def _report_sha256(payload: bytes) -> str:
    """Return the SHA-256 of the content of a station's report; of its bytes if they cannot be decoded."""
    try:
        return content_sha256(decode_stored(payload, SetAside))
    except msgspec.MsgspecError:
        return hashlib.sha256(payload).hexdigest()
