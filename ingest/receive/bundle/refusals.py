"""Records what of a bundle could not be used: for the quarantine, and in few words for the receipt."""

import hashlib
from datetime import datetime

from casebook.records import PAYLOAD_KEPT_BYTES, Quarantined
from contract.bundle.documents import MAX_PROBLEMS
from contract.bundle.reader import EntryRead

_RECORDED_SINGLY = 100  # damaged messages of one bundle; the others are counted in one record


class Refusals:
    """The unusable messages of one bundle."""

    def __init__(self, station: str, bundle: str) -> None:
        """Begin with none.

        Args:
            station: Whose bundle it is; "": not known.
            bundle: Its file name.
        """
        self._station = station
        self._bundle = bundle
        self._missing = self._damaged = 0
        self._first_missing = 0
        self._problems: list[str] = []

    @property
    def count(self) -> int:
        """How many messages are unusable."""
        return self._missing + self._damaged

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, for people; ``summary`` completes it."""
        return tuple(self._problems[:MAX_PROBLEMS])

    def add(self, one: EntryRead, at: datetime) -> list[Quarantined]:
        """Count an unusable entry; returns the record for the quarantine, where it gets one of its own."""
        if one.missing:
            self._first_missing = self._first_missing if self._missing else one.entry.number
            self._missing += 1
            return []
        self._damaged += 1
        if self._damaged > _RECORDED_SINGLY:
            return []
        detail = f"message {one.entry.number}: {one.detail}"
        return [self.record(one.reason or "shape", detail, at, one.entry.topic, one.payload, one.entry.size)]

    def summary(self, at: datetime) -> list[Quarantined]:
        """Return the records for all entries that have none of their own."""
        records = []
        if self._missing:
            detail = (
                f"the file ends early: {self._missing} messages are missing, the first is number {self._first_missing}"
            )
            records.append(self.record("size", detail, at, first=True))
        if self._damaged > _RECORDED_SINGLY:
            detail = f"{self._damaged - _RECORDED_SINGLY} more messages are damaged"
            records.append(self.record("hash", detail, at, first=True))
        return records

    def record(
        self,
        reason: str,
        detail: str,
        at: datetime,
        topic: str = "",
        payload: bytes = b"",
        size: int = 0,
        first: bool = False,
    ) -> Quarantined:
        """Make a record, and list its detail among the problems.

        Args:
            reason: One word for counting, see ``contract.Malformed``.
            detail: What is wrong.
            at: When it was read.
            topic: Of the message.
            payload: What was found of it.
            size: Bytes that it should have.
            first: Whether to list it before the other problems.
        """
        self._problems.insert(0 if first else len(self._problems), detail[:500])
        return Quarantined(
            # The same for a bundle that is taken in again.
            id=hashlib.sha256(f"{self._bundle}\0{detail}".encode()).hexdigest(),
            source="message",
            at=at,
            topic=topic.replace("\0", "�"),
            station=self._station,
            reason=reason,
            detail=f"bundle {self._bundle}: {detail}"[:2000].replace("\0", "�"),
            payload=payload[:PAYLOAD_KEPT_BYTES],
            size=size,
            name=self._bundle,
        )
