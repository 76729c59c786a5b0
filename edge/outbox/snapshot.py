"""Read-only view of the outbox at one instant, for an export that lists all messages before it reads each one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from edge.outbox.outbox import OutboxError


class UnsentMessage(NamedTuple):
    """An unsent message without its payload."""

    number: int
    topic: str
    size: int


class OutboxSnapshot:
    """One read transaction on the outbox file; a context manager.

    The station, in this process or another, may store and delete messages meanwhile; the snapshot does not change.
    """

    def __init__(self, path: Path) -> None:
        """Open the file of an existing outbox.

        Raises:
            OutboxError: it cannot be opened or read.
        """
        self._path = path
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30, isolation_level=None
            )
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT number FROM message LIMIT 1").fetchall()  # fixes the instant
        except sqlite3.DatabaseError as error:
            raise OutboxError(f"{path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def unsent(self) -> Iterator[UnsentMessage]:
        """Yield the unsent messages in sending order."""
        rows = self._connection.execute(
            "SELECT number, topic, length(payload) FROM message WHERE acknowledged = 0 ORDER BY again, priority, number"
        )
        for number, topic, size in rows:
            yield UnsentMessage(number, topic, size)

    def message(self, number: int) -> tuple[str, bytes] | None:
        """Return the topic and payload of a message, sent or unsent, or None if the message was deleted."""
        row = self._connection.execute("SELECT topic, payload FROM message WHERE number = ?", [number]).fetchone()
        return (row[0], bytes(row[1])) if row else None
