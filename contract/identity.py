"""Identity of a record's content, which redeliveries share whatever contract version encoded them."""

import hashlib
from datetime import UTC, datetime

import msgspec

from contract.codec import Record, encode


def content_sha256(record: Record) -> str:
    """Return the SHA-256 of a record's canonical encoding.

    The encoding of the current contract, without the version number and with all times in UTC: a station that was
    upgraded between two deliveries may encode the same record anew, with another version, explicit default values or
    another offset from UTC. Fields of a later contract version are not part of the content.
    """
    times = {
        name: value.astimezone(UTC)
        for name in record.__struct_fields__
        if isinstance(value := getattr(record, name), datetime)
    }
    return hashlib.sha256(encode(msgspec.structs.replace(record, schema="", **times))).hexdigest()
