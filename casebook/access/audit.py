"""The audit log: an append-only table in which each entry has the hash of the entry before."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from casebook.access.actor import Actor
from casebook.access.tables import audit_entry
from casebook.incidents.database import Database

Action = Literal[
    "signed in",
    "sign-in failed",
    "signed out",
    "sessions ended",
    "decided",
    "withdrew",
    "resolved",
    "viewed",
    "exported",
    "account added",
    "account changed",
    "account disabled",
    "account enabled",
    "password changed",
    "area set",
    "area removed",
]
MAX_TEXT = 2_000  # characters of one field
FIRST = "0" * 64  # what the first entry has in place of the hash of the entry before
_PORTION = 1_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the audit log: time, who, from where, what, why.

    The columns are those of the access register in article 16 of the regulation on public security video systems
    (公共安全视频图像信息系统管理条例): reason, content, unit and name.

    Attributes:
        sequence: Position in the log, from 1 without gaps.
        at: Time by the server's clock, UTC.
        actor_id: Id of the account; "" for a command, or for a failed sign-in.
        name: Name of the person; for a failed sign-in, what was entered is not kept.
        unit: Organisation of the person.
        address: Network address; "" for a command.
        action: What was done.
        content: What it concerned.
        reason: Why, where a reason is asked for.
        previous: Digest of the entry before.
        digest: SHA-256 of all fields above.
    """

    sequence: int
    at: datetime
    actor_id: str
    name: str
    unit: str
    address: str
    action: str
    content: str
    reason: str
    previous: str
    digest: str

    def computed_digest(self) -> str:
        """Return the digest that follows from the other fields."""
        texts = (self.actor_id, self.name, self.unit, self.address, self.action, self.content, self.reason)
        fields = [self.sequence, self.at.isoformat(timespec="microseconds"), *texts, self.previous]
        return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """Result of a check of the log.

    Attributes:
        entries: Number of entries whose chain is whole, from the first on.
        digest: Digest of the last of them.
        problem: What is wrong with the next entry; "" if the whole log is sound.
    """

    entries: int
    digest: str
    problem: str


def append_entry(connection: Connection, actor: Actor, action: Action, content: str = "", reason: str = "") -> None:
    """Append an entry in the transaction of what it records, which must be one of ``Database.exclusive``."""
    last = connection.execute(
        select(audit_entry.c.sequence, audit_entry.c.digest).order_by(audit_entry.c.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
    now = datetime.now(UTC)
    entry = AuditEntry(
        sequence,
        now,
        _stored(actor.id),
        _stored(actor.name),
        _stored(actor.unit),
        _stored(actor.address),
        action,
        _stored(content),
        _stored(reason),
        previous,
        digest="",
    )
    row = {name: getattr(entry, name) for name in AuditEntry.__slots__} | {"digest": entry.computed_digest()}
    connection.execute(insert(audit_entry).values(**row))


class AuditLog:
    """The audit log in the casebook's database."""

    def __init__(self, database: Database) -> None:
        """Use a database with the casebook's tables."""
        self._database = database

    def append(self, actor: Actor, action: Action, content: str = "", reason: str = "") -> None:
        """Append an entry.

        Raises:
            StoreUnavailable: the database did not answer; nothing was recorded.
        """
        with self._database.exclusive() as connection:
            append_entry(connection, actor, action, content, reason)

    def entries(self, limit: int = 100, before: int | None = None) -> list[AuditEntry]:
        """List entries, newest first; ``before`` is the sequence of the last one of the previous page."""
        query = select(audit_entry).order_by(audit_entry.c.sequence.desc()).limit(limit)
        return self._read(query if before is None else query.where(audit_entry.c.sequence < before))

    def oldest_first(self) -> Iterator[AuditEntry]:
        """Yield all entries in the order of the log."""
        after = -1
        query = select(audit_entry).order_by(audit_entry.c.sequence).limit(_PORTION)
        while portion := self._read(query.where(audit_entry.c.sequence > after)):
            yield from portion
            after = portion[-1].sequence

    def check(self, noted: tuple[int, str] | None = None) -> AuditCheck:
        """Check that no entry is missing or was altered.

        Whoever can write to the database can write a whole new chain; only a digest that was noted elsewhere shows it.

        Args:
            noted: Number and digest of an entry, as noted earlier.
        """
        number, digest = 0, FIRST
        for entry in self.oldest_first():
            problem = _problem(entry, number, digest)
            if not problem and noted is not None and noted[0] == entry.sequence and noted[1] != entry.digest:
                problem = f"entry {entry.sequence} has the digest {entry.digest}, not the noted one"
            if problem:
                return AuditCheck(number, digest, problem)
            number, digest = entry.sequence, entry.digest
        cut = noted is not None and noted[0] > number
        return AuditCheck(number, digest, "the log ends before the noted entry" if cut else "")

    def _read(self, query: Any) -> list[AuditEntry]:
        with self._database.begin() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def _problem(entry: AuditEntry, number: int, digest: str) -> str:
    if entry.sequence != number + 1:
        return f"entry {number + 1} is missing; the next one is {entry.sequence}"
    if entry.previous != digest:
        return f"entry {entry.sequence} does not follow the entry before"
    if entry.computed_digest() != entry.digest:
        return f"entry {entry.sequence} was altered"
    return ""


def _stored(text: str) -> str:
    """Return a text as the database returns it: bounded, without NUL and lone surrogates."""
    return text[:MAX_TEXT].replace("\0", "\u2400").encode("utf-8", "replace").decode()
