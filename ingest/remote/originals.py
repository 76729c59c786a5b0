"""Puts the parts of an original together that a station was asked for, and stores it when it is whole."""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from captures.media_type import media_type
from casebook.casebook import Casebook
from casebook.media_parts import MediaParts
from casebook.records import MediaEntry
from casebook.station_commands import StationCommands
from contract.commands import MediaPart
from ingest.media.port import MediaStore

LOG = logging.getLogger("wildpost.intake")


class Originals:
    """Receives the parts of originals; only those that somebody has asked for are kept."""

    def __init__(self, parts: MediaParts, commands: StationCommands, media: MediaStore, casebook: Casebook) -> None:
        self._parts, self._commands, self._media, self._casebook = parts, commands, media, casebook

    def add(self, parts: Sequence[MediaPart]) -> None:
        """Store parts, and each original that becomes whole; a repeated part changes nothing.

        Raises:
            StoreUnavailable: a database did not answer; the parts will be delivered again.
            OSError: the disk for media is full; likewise.
        """
        dropped: Counter[str] = Counter()
        for part in parts:
            if not self._commands.is_awaited(part):
                dropped[part.station] += 1
            elif self._parts.add(part):
                self._complete(part)
        for station, count in dropped.items():
            LOG.warning("%s: %d parts of originals that nobody waits for are dropped", station, count)

    def _complete(self, part: MediaPart) -> None:
        data = self._parts.whole(part.station, part.sha256)
        now = datetime.now(UTC)
        problem = ""
        if hashlib.sha256(data).hexdigest() == part.sha256:
            self._media.put(data, part.sha256)
            kind = media_type(data) or "application/octet-stream"
            entry = MediaEntry(part.event_id, part.sha256, kind, "original", len(data), part.station, now)
            self._casebook.add_media([entry])
        else:
            problem = "the original that arrived does not have the hash of the event"
        self._commands.came(part.station, part.event_id, part.sha256, now, problem)
        self._parts.delete(part.station, part.sha256)
