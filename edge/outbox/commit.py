"""Content of one transaction of the outbox, and the function that writes it."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from edge.capture.clip import FileMark
from edge.capture.visits import Visit
from edge.outbox.file_marks import store_mark
from edge.outbox.media_quota import evict, make_room
from edge.outbox.message import HIGH, OutboxMessage
from edge.outbox.visit_table import store_visit


@dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction stores; see ``Outbox.commit``."""

    messages: Sequence[OutboxMessage]
    mark: FileMark | None = None
    visit: Visit | None = None
    memory: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Total size of the messages, in bytes."""
        return sum(len(message.payload) for message in self.messages)

    @property
    def media_worth(self) -> int:
        """Largest worth of the media; that of the most important media if there are none."""
        return max((int(message.worth) for message in self.messages if message.media), default=int(HIGH))

    def without_media(self) -> Self:
        """Return the same commit without its media, which are counted as evicted."""
        kept = [message for message in self.messages if not message.media]
        return replace(self.counted("evicted_media", len(self.messages) - len(kept)), messages=kept)

    def counted(self, name: str, number: int) -> Self:
        """Return the same commit with a counter increased by ``number``."""
        return replace(self, counts={**self.counts, name: self.counts.get(name, 0) + number})


def write(connection: sqlite3.Connection, commit: Commit, quota: int, freed: int = 0, up_to: int = HIGH) -> None:
    """Write a commit to the tables of the outbox, in the transaction of the caller.

    Args:
        connection: The outbox, in a transaction.
        commit: What to store.
        quota: Largest total size of the media, in bytes.
        freed: Size of the stored media to delete first, in bytes; for a full disk.
        up_to: Unsent media that are worth more are not deleted for ``freed``.
    """
    if freed:
        commit = commit.counted("evicted_media", evict(connection, freed, up_to)[1])
    media = [message for message in commit.messages if message.media]
    if media:
        stored, missed = make_room(connection, quota, [(len(one.payload), int(one.worth)) for one in media])
        commit = commit.counted("evicted_media", missed)
        if stored < len(media):
            left_out = media[stored:]
            kept = [message for message in commit.messages if not any(message is one for one in left_out)]
            commit = replace(commit.counted("evicted_media", len(left_out)), messages=kept)
    connection.executemany(
        "INSERT INTO message (topic, payload, priority, media, worth) VALUES (?, ?, ?, ?, ?)",
        [[one.topic, one.payload, one.priority, one.media, one.worth] for one in commit.messages],
    )
    if commit.mark is not None:
        store_mark(connection, commit.mark)
    if commit.visit is not None:
        store_visit(connection, commit.visit)
    connection.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", list(commit.memory.items()))
    connection.executemany(
        "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [[name, value] for name, value in commit.counts.items() if value],
    )
