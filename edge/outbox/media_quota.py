"""Quota for the media in the outbox: which thumbnails and clips are deleted when there is no room for new ones."""

import sqlite3
from collections.abc import Sequence

from edge.outbox.message import HIGH

_CANDIDATES = (
    "SELECT number, length(payload), acknowledged OR again, worth FROM message WHERE media "
    "ORDER BY (acknowledged OR again) DESC, worth, number"
)


def media_bytes(connection: sqlite3.Connection) -> int:
    """Return the total size of the media in the outbox, in bytes."""
    return int(connection.execute("SELECT media_bytes FROM total WHERE id = 1").fetchone()[0])


def evict(connection: sqlite3.Connection, excess: int, up_to: int = HIGH) -> tuple[int, int]:
    """Delete media until ``excess`` bytes are free, and return what is still missing and how many unsent were deleted.

    Acknowledged media go first, then unsent ones in the order of their worth, the oldest first. The cost depends on
    the number of deleted media, not on the number of media in the outbox.

    Args:
        connection: The outbox, in a transaction.
        excess: Bytes to free.
        up_to: Unsent media that are worth more stay.
    """
    evicted: list[int] = []
    missed = 0
    for number, size, delivered, worth in connection.execute(_CANDIDATES):
        if excess <= 0 or (not delivered and worth > up_to):
            break
        evicted.append(number)
        excess -= size
        missed += not delivered
    connection.executemany("DELETE FROM message WHERE number = ?", [[number] for number in evicted])
    return excess, missed


def make_room(connection: sqlite3.Connection, quota: int, coming: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Delete media so that new ones fit into the quota; return how many new ones fit and how many unsent were deleted.

    A new medium takes no place of one that is worth more.

    Args:
        connection: The outbox, in a transaction.
        quota: Largest total size of the media, in bytes.
        coming: Size and worth of each new medium, in the order in which they are stored.
    """
    stored, missed = 0, 0
    total = media_bytes(connection)
    for size, worth in coming:
        if size > quota:
            break
        excess, deleted = evict(connection, total + size - quota, worth)
        missed += deleted
        if excess > 0:
            break
        total, stored = media_bytes(connection) + size, stored + 1
    return stored, missed
