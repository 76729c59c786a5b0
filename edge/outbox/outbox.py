"""The station's outbox: a queue in SQLite that keeps each message until the broker has acknowledged and saved it."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from contract.errors import TemporaryFailure, WildpostError
from contract.private_files import create_private_file, make_private_folder
from edge.capture.clip import FileMark
from edge.capture.visits import Visit
from edge.outbox.commit import Commit, write
from edge.outbox.file_marks import find_alike, find_mark, paths_of_size
from edge.outbox.message import HIGH, OutboxMessage
from edge.outbox.send_order import next_numbers
from edge.outbox.tables import migrate
from edge.outbox.visit_table import visits_around

__all__ = ["Counter", "Outbox", "OutboxError", "OutboxFull", "OutboxMessage"]

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


class Outbox:
    """Persistent message queue in an SQLite file; several threads may use one object."""

    def __init__(self, path: Path, media_quota_bytes: int = 2_000_000_000) -> None:
        """Open the outbox file, or create it if it does not exist.

        Args:
            path: The SQLite file.
            media_quota_bytes: Quota for stored media; beyond it media are deleted: acknowledged ones first, then
                those of the lowest worth, the oldest first.

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

    def commit(
        self,
        messages: Sequence[OutboxMessage],
        mark: FileMark | None = None,
        visit: Visit | None = None,
        memory: Mapping[str, str] | None = None,
        **counts: int,
    ) -> None:
        """Store messages and what belongs to them in one transaction.

        If the disk is full, stored media are deleted to make room; if that is not enough, the new media are left out.

        Args:
            messages: New messages.
            mark: Progress in the file from which they come.
            visit: New state of the visit to which they belong.
            memory: Values to remember by name; see ``remembered``.
            counts: Increments of counters by name.

        Raises:
            OutboxFull: the disk is full even then.
            OutboxError: the file is corrupt.
        """
        whole = Commit(messages, mark, visit, memory or {}, counts)
        bare = whole.without_media()
        # Freed is twice the size of the messages, since their rows take more than their payloads.
        attempts = [(whole, 0, 0), (whole, 2 * whole.size_bytes, whole.media_worth)]
        if len(bare.messages) < len(messages):
            attempts += [(bare, 0, 0), (bare, 2 * bare.size_bytes, HIGH)]
        with self._changed:
            for number, (commit, freed, up_to) in enumerate(attempts, start=1):
                try:
                    with self._transaction():
                        write(self._connection, commit, self._quota, freed, up_to)
                    return
                except OutboxFull:
                    if number == len(attempts):
                        raise

    def waiting(self, limit: int, but: Collection[int] = (), but_topics: Collection[str] = ()) -> list[OutboxMessage]:
        """Return unsent messages in sending order, leaving out the numbers in ``but`` and topics in ``but_topics``."""
        with self._lock:
            rows = [
                self._connection.execute(
                    "SELECT topic, payload, priority, media, number, worth FROM message WHERE number = ?", [number]
                ).fetchone()
                for number in next_numbers(self._connection, limit, but, but_topics)
            ]
        return [
            OutboxMessage(topic, payload, priority, bool(media), number, worth)
            for topic, payload, priority, media, number, worth in rows
        ]

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
            report_only = Commit([report] if report else [], counts={"unsendable": 1})
            write(self._connection, report_only, self._quota)

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
        mark = self.last_mark(path)
        return mark if mark is not None and (mark.size, mark.modified_ns) == (size, modified_ns) else None

    def last_mark(self, path: str) -> FileMark | None:
        """Return how much of a capture file was processed, although the file may have changed since."""
        with self._lock:
            return find_mark(self._connection, path)

    def marks_alike(self, size: int, modified_ns: int) -> list[FileMark]:
        """Return the marks of recordings of this size and modification time, for a file that was renamed."""
        with self._lock:
            return find_alike(self._connection, size, modified_ns)

    def paths_of_size(self, size: int) -> list[str]:
        """Return the paths of processed files of a size, the latest first."""
        with self._lock:
            return paths_of_size(self._connection, size)

    def unsent_on(self, topic: str) -> int:
        """Return the number of unsent messages on a topic."""
        with self._lock:
            query = "SELECT count(*) FROM message WHERE acknowledged = 0 AND topic = ?"
            return int(self._connection.execute(query, [topic]).fetchone()[0])

    def unsent_size(self, topics: Sequence[str]) -> tuple[int, int]:
        """Return the number of unsent messages on some topics, and their total size in bytes."""
        query = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM message WHERE acknowledged = 0 AND topic = ?"
        with self._lock:
            found = [self._connection.execute(query, [topic]).fetchone() for topic in topics]
        return sum(int(count) for count, _ in found), sum(int(size) for _, size in found)

    def __len__(self) -> int:
        """Return the number of unsent messages."""
        with self._lock:
            return int(self._connection.execute("SELECT unsent FROM total WHERE id = 1").fetchone()[0])

    def count(self, name: Counter) -> int:
        """Return the value of a counter, which counts from the creation of the outbox."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM counter WHERE name = ?", [name]).fetchone()
        return int(row[0]) if row else 0

    def remembered(self, name: str) -> str | None:
        """Return the value that was last committed to ``memory`` under a name, or None."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM memory WHERE name = ?", [name]).fetchone()
        return str(row[0]) if row else None

    def visits_around(self, series: str, at: datetime) -> list[Visit]:
        """Return the visits of a series directly before and after a time, as they were last committed."""
        with self._lock:
            return visits_around(self._connection, series, at)

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
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise self._named(error) from error
            self._changed.notify_all()

    def _of_each(self, sql: str, numbers: Sequence[int]) -> None:
        self._connection.executemany(sql, [[number] for number in numbers])

    def _named(self, error: sqlite3.DatabaseError) -> Exception:
        if _without_room(error):
            return OutboxFull(f"{self.path}: {error}: make room on the disk; the captures are processed again then")
        return OutboxError(f"{self.path}: {error}")


def _without_room(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode in _WITHOUT_ROOM
