"""Record types of the casebook for quarantined input, media entries and totals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contract.messages import MediaRole

QUARANTINE_STATION_LIMIT = 2_000  # records of one station, 32 MB at most: more than a person reads
QUARANTINE_LIMIT = 10_000  # in all, 160 MB at most
PAYLOAD_KEPT_BYTES = 16_384  # of a quarantined message: enough for diagnosis, too little to fill the disk


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that the server could not read, or a file that a station could not read.

    Attributes:
        id: Equal for redeliveries of one message, so that it is stored once.
        source: "message": the server could not decode it; "station": a station reported a file it set aside.
        at: Time it arrived, UTC.
        topic: MQTT topic it arrived on.
        station: Station named by the topic, else "".
        reason: One word for counting (see ``contract.Malformed``); "file" for a station's report; "budget" for the
            count of what was not kept.
        detail: Full explanation.
        payload: The first 16 KiB of the content.
        size: Size of the whole content in bytes.
        name: Name of the file on the station, else "".
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
        """Pagination cursor in the list of quarantined input."""
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """A thumbnail or clip that the server has received, possibly before the event of the same capture."""

    event_id: str
    sha256: str
    type: str
    role: MediaRole
    size: int
    station: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class MediaConflict:
    """A media entry that contradicts an earlier one, which stays.

    Attributes:
        entry: The entry that was not stored.
        known: The earlier entry: of the same content with another type, or of the same content and event with another
            station.
    """

    entry: MediaEntry
    known: MediaEntry


@dataclass(frozen=True, slots=True)
class CasebookTotals:
    """Number of records of each kind in the casebook."""

    flags: int
    open_flags: int
    verdicts: int
    quarantined: int
    media: int
