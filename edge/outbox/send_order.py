"""Order in which the messages of the outbox are sent; its queries read an index, however many messages wait."""

import sqlite3
from collections.abc import Collection

# Each step finds the next topic in the index: a station has one topic for each kind of message.
_TOPICS = """
WITH RECURSIVE waiting(topic) AS (
    SELECT min(topic) FROM message WHERE acknowledged = 0
    UNION ALL
    SELECT (SELECT min(topic) FROM message WHERE acknowledged = 0 AND topic > waiting.topic)
    FROM waiting WHERE waiting.topic IS NOT NULL)
SELECT topic FROM waiting WHERE topic IS NOT NULL
"""


def next_numbers(
    connection: sqlite3.Connection, limit: int, but: Collection[int], but_topics: Collection[str]
) -> list[int]:
    """Return the numbers of the next unsent messages, without those in ``but`` and on topics in ``but_topics``."""
    found: list[tuple[int, int, int]] = []
    for (topic,) in connection.execute(_TOPICS).fetchall():
        if topic not in but_topics:
            found += connection.execute(
                "SELECT again, priority, number FROM message WHERE acknowledged = 0 AND topic = ? "
                "ORDER BY again, priority, number LIMIT ?",
                [topic, limit + len(but)],
            ).fetchall()
    return [number for _, _, number in sorted(found) if number not in but][:limit]
