"""What the casebook keeps beside flags and verdicts: unusable messages and files, media of events, totals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contract.messages import MediaRole

PAYLOAD_KEPT_BYTES = 16_384  # of a quarantined message: enough to see what it was, too little to fill the disk


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that came in and could not be used.

    Attributes:
        id: The same for a message that is delivered again, so that it is kept once.
        source: "message": the server could not read it; "station": a station reported a file it set aside.
        at: When it came in, UTC.
        topic: Where it came in.
        station: Whose it is, where the topic says so, else "".
        reason: One word for counting (see ``contract.Malformed``); "file" for a station's report.
        detail: The whole story.
        payload: The first 16 KiB of it.
        size: How many bytes the whole had.
        name: The file's name on the station, else "".
    """

    id: str
    source: Literal["message", "station"]
    at: datetime
    topic: str
    station: str
    reason: str
    detail: str
    payload: bytes
    size: int
    name: str = ""

    @property
    def key(self) -> tuple[datetime, str]:
        """Where it sorts; pages go on after it."""
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """A thumbnail or clip that arrived; it may come before its event."""

    event_id: str
    sha256: str
    type: str
    role: MediaRole
    size: int
    station: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class CasebookTotals:
    """How much the casebook holds."""

    flags: int
    open_flags: int
    verdicts: int
    quarantined: int
    media: int
