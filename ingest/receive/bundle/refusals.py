"""Collector of a bundle's unusable messages: quarantine records, and descriptions for the receipt."""

import hashlib
from datetime import datetime

from casebook.records import PAYLOAD_KEPT_BYTES, Quarantined
from contract.bundle.documents import MAX_PROBLEMS
from contract.bundle.reader import EntryRead

_RECORDED_SINGLY = 100  # damaged messages of one bundle; the others are counted in one record


class Refusals:
    """Collector of the unusable messages of one bundle, as quarantine records and descriptions."""

    def __init__(self, station: str, bundle: str) -> None:
        """Create an empty collector for one bundle.

        Args:
            station: Station whose bundle it is; empty if unknown.
            bundle: File name of the bundle.
        """
        self._station = station
        self._bundle = bundle
        self._missing = self._damaged = 0
        self._first_missing = 0
        self._problems: list[str] = []

    @property
    def count(self) -> int:
        """Number of unusable messages."""
        return self._missing + self._damaged

    @property
    def problems(self) -> tuple[str, ...]:
        """Descriptions of the problems for the receipt; complete only after ``summary``."""
        return tuple(self._problems[:MAX_PROBLEMS])

    def add(self, one: EntryRead, at: datetime) -> list[Quarantined]:
        """Count an unusable bundle entry, and return its quarantine record in a list, which may be empty.

        If the list is empty, a record that ``summary`` returns covers the entry.
        """
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
        """Return the quarantine records that cover all entries for which ``add`` returned no record."""
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
        """Return a quarantine record, and add its detail to ``problems``.

        Args:
            reason: Reason in one word, as in ``contract.Malformed``.
            detail: Description of the problem.
            at: Time at which the bundle was read.
            topic: Topic of the message.
            payload: Payload of the message, as far as it was read.
            size: Expected size of the payload in bytes.
            first: Whether the detail is listed before the other problems.
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
