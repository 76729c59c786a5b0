"""The station's outbox: a queue in SQLite that keeps each message until the broker has acknowledged and saved it."""

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.errors import TemporaryFailure, WildpostError
from contract.private_files import create_private_file, make_private_folder
from edge.capture.clip import FileMark
from edge.outbox.tables import migrate

Counter = Literal[
    "events",
    "set_aside",
    "evicted_media",
    "evicted_originals",
    "voice_sent",
    "voice_sent_with_threat",
    "voice_dropped",
    "unsendable",
]

# A full disk is reported when the file grows, when it is written, or when the shared-memory file is allocated.
_WITHOUT_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


class OutboxFull(TemporaryFailure, OSError):
    """Raised when the disk is full: nothing was stored, and the caller must process the capture again later."""


class OutboxError(WildpostError):
    """Raised when the outbox file is corrupt or is not an outbox; the message gives the path and the remedy."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """An MQTT message for the outbox, with its priority.

    Attributes:
        topic: MQTT topic.
        payload: Encoded message.
        priority: Lower is sent first: 0 people and vehicles, 1 other detections, 2 health and other reports, 3 media.
        media: Whether it may be deleted when the disk quota is reached; other messages never are.
        number: Row number in the outbox; 0 before the message is stored.
    """

    topic: str
    payload: bytes
    priority: int = 0
    media: bool = False
    number: int = 0


class Outbox:
    """Persistent message queue in an SQLite file; several threads may use one object."""

    def __init__(self, path: Path, media_quota_bytes: int = 2_000_000_000) -> None:
        """Open the outbox file, or create it if it does not exist.

        Args:
            path: The SQLite file.
            media_quota_bytes: Quota for stored media; beyond it the oldest are deleted, acknowledged ones first.

        Raises:
            OutboxError: the file is not an outbox, or it is an outbox of a later version.
        """
        make_private_folder(path.parent)
        self.path = path
        self._quota = media_quota_bytes
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        create_private_file(path)
        try:
            self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        except sqlite3.DatabaseError as error:
            raise self._named(error) from error
        try:
            self._prepare()
        except (sqlite3.DatabaseError, OutboxError) as error:
            self._connection.close()
            if isinstance(error, OutboxError):
                raise
            if _without_room(error):
                raise self._named(error) from error
            raise OutboxError(f"{path}: {error}; move the file away to start a new outbox") from error

    def commit(self, messages: Sequence[OutboxMessage], mark: FileMark | None = None, **counts: int) -> None:
        """Store messages, the ``FileMark`` of a capture file and counter increments in one transaction.

        If the disk is full, stored media are deleted to make room, the oldest first.

        Raises:
            OutboxFull: the disk is full even then.
            OutboxError: the file is corrupt.
        """
        with self._changed:
            try:
                self._keep(messages, mark, counts, self._quota)
            except sqlite3.DatabaseError as error:
                if not _without_room(error):
                    raise self._named(error) from error
                try:
                    self._keep(messages, mark, counts, self._less(messages))
                except sqlite3.DatabaseError as again:
                    raise self._named(again) from again
            self._changed.notify_all()

    def waiting(self, limit: int, but: Collection[int] = (), but_topics: Collection[str] = ()) -> list[OutboxMessage]:
        """Return unsent messages in sending order, leaving out the numbers in ``but`` and topics in ``but_topics``."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT topic, payload, priority, media, number FROM message "
                "WHERE acknowledged = 0 AND topic NOT IN (SELECT value FROM json_each(?)) "
                "ORDER BY again, priority, number LIMIT ?",
                [json.dumps(list(but_topics)), limit + len(but)],
            ).fetchall()
        found = [
            OutboxMessage(topic, payload, priority, bool(media), number)
            for topic, payload, priority, media, number in rows
        ]
        return [message for message in found if message.number not in but][:limit]

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """Mark messages as acknowledged but keep them, since a killed broker loses what it has not saved.

        Raises:
            OutboxFull: the disk is full; retry later.
            OutboxError: the file is corrupt.
        """
        with self._transaction():
            self._of_each("UPDATE message SET acknowledged = 1 WHERE number = ?", numbers)

    def forget(self, numbers: Sequence[int]) -> None:
        """Delete the messages with the given numbers from the outbox.

        Call it only for messages that the broker has acknowledged and saved, or that a receipt lists.

        Raises:
            OutboxFull: the disk is full; retry later.
            OutboxError: the file is corrupt.
        """
        with self._transaction():
            self._of_each("DELETE FROM message WHERE number = ?", numbers)

    def send_again(self) -> int:
        """Queue all acknowledged messages for sending once more, after the new messages.

        Messages that were already sent twice are deleted; else a connection that breaks often would repeat them.

        Returns:
            Number of messages that will be sent again.

        Raises:
            OutboxFull: the disk is full; retry later.
            OutboxError: the file is corrupt.
        """
        with self._transaction():
            self._connection.execute("DELETE FROM message WHERE acknowledged = 1 AND again = 1")
            changed = self._connection.execute("UPDATE message SET acknowledged = 0, again = 1 WHERE acknowledged = 1")
        return changed.rowcount

    def set_aside(self, message: OutboxMessage, reason: str, report: OutboxMessage | None = None) -> None:
        """Move a message that the broker will never accept to the table of unsendable messages, and count it.

        The bytes of a media message are not kept: the original file is still where the source stored it.

        Args:
            message: As returned by ``waiting``.
            reason: Why the broker refuses it.
            report: Message to the server about it, queued in the same transaction.

        Raises:
            OutboxFull: the disk is full; retry later.
            OutboxError: the file is corrupt.
        """
        kept = b"" if message.media else message.payload
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO unsendable VALUES (?, ?, ?, ?, ?)",
                [message.number, message.topic, kept, len(message.payload), reason],
            )
            self._of_each("DELETE FROM message WHERE number = ?", [message.number])
            self._insert([report] if report else [], None, {"unsendable": 1}, self._quota)

    def unsendable(self) -> list[tuple[str, bytes, str]]:
        """Return the topic, payload and reason of each unsendable message."""
        with self._lock:
            rows = self._connection.execute("SELECT topic, payload, reason FROM unsendable ORDER BY number")
            return [(topic, payload, reason) for topic, payload, reason in rows]

    def wait_for_change(self, timeout_s: float) -> None:
        """Wait until the outbox changes, for at most ``timeout_s`` seconds."""
        with self._changed:
            self._changed.wait(timeout_s)

    def mark_of(self, path: str, size: int, modified_ns: int) -> FileMark | None:
        """Return how much of a capture file has been processed, or None if the file is new or has changed."""
        with self._lock:
            row = self._connection.execute(
                "SELECT stretches, finished FROM file_mark WHERE path = ? AND size = ? AND modified_ns = ?",
                [path, size, modified_ns],
            ).fetchone()
        return FileMark(path, size, modified_ns, row[0], bool(row[1])) if row else None

    def __len__(self) -> int:
        """Return the number of unsent messages."""
        with self._lock:
            query = "SELECT count(*) FROM message WHERE acknowledged = 0"
            return int(self._connection.execute(query).fetchone()[0])

    def count(self, name: Counter) -> int:
        """Return the value of a counter, which counts from the creation of the outbox."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM counter WHERE name = ?", [name]).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the outbox file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # committed data survives a power failure
        try:
            migrate(self._connection)
        except ValueError as later:
            raise OutboxError(f"{self.path}: {later}") from later

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._changed:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                self._roll_back()
                raise self._named(error) from error
            self._changed.notify_all()

    def _of_each(self, sql: str, numbers: Sequence[int]) -> None:
        self._connection.executemany(sql, [[number] for number in numbers])

    def _keep(
        self, messages: Sequence[OutboxMessage], mark: FileMark | None, counts: dict[str, int], quota: int
    ) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._insert(messages, mark, counts, quota)
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError:
            self._roll_back()
            raise

    def _insert(
        self, messages: Sequence[OutboxMessage], mark: FileMark | None, counts: dict[str, int], quota: int
    ) -> None:
        coming = sum(len(message.payload) for message in messages if message.media)
        if coming or quota < self._quota:
            counts = counts | {"evicted_media": counts.get("evicted_media", 0) + self._evict(coming, quota)}
        self._connection.executemany(
            "INSERT INTO message (topic, payload, priority, media) VALUES (?, ?, ?, ?)",
            [[message.topic, message.payload, message.priority, message.media] for message in messages],
        )
        if mark is not None:
            self._connection.execute(
                "INSERT OR REPLACE INTO file_mark VALUES (?, ?, ?, ?, ?)",
                [mark.path, mark.size, mark.modified_ns, mark.stretches, mark.finished],
            )
        self._connection.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [[name, value] for name, value in counts.items() if value],
        )

    def _media_bytes(self) -> int:
        query = "SELECT coalesce(sum(length(payload)), 0) FROM message WHERE media"
        return int(self._connection.execute(query).fetchone()[0])

    def _less(self, messages: Sequence[OutboxMessage]) -> int:
        """Return a reduced media quota; deleting the media above it frees twice the size of the new messages."""
        needed = sum(len(message.payload) for message in messages)
        coming = sum(len(message.payload) for message in messages if message.media)
        return min(self._quota - 1, self._media_bytes() + coming - 2 * needed)

    def _evict(self, coming: int, quota: int) -> int:
        excess = self._media_bytes() + coming - quota
        if excess <= 0:
            return 0
        evicted: list[int] = []
        missed = 0
        # Acknowledged media are deleted first; they do not count as evicted.
        for number, size, acknowledged in self._connection.execute(
            "SELECT number, length(payload), acknowledged OR again FROM message WHERE media ORDER BY 3 DESC, number"
        ):
            if excess <= 0:
                break
            evicted.append(number)
            excess -= size
            missed += not acknowledged
        self._of_each("DELETE FROM message WHERE number = ?", evicted)
        return missed

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _named(self, error: sqlite3.DatabaseError) -> Exception:
        if _without_room(error):
            return OutboxFull(f"{self.path}: {error}: make room on the disk; the captures are processed again then")
        return OutboxError(f"{self.path}: {error}")


def _without_room(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode in _WITHOUT_ROOM
