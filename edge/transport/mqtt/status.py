"""Payload of a station's status, which the broker keeps, and publishes as the last will."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET

from contract import Status, encode


def status_payload(station: str, state: Literal["online", "offline"], version: str, contested: bool) -> bytes:
    """Return the status of now; ``contested``: another client of this name takes over the connection."""
    status = Status(
        station=station,
        state=state,
        at=datetime.now(UTC),
        version=version,
        name_contested=True if contested else UNSET,
    )
    return encode(status)
