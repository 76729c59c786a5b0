"""The tables of a station's outbox, and how an older one is brought to this form."""

import sqlite3

VERSION = 2

_TABLES = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, priority INTEGER NOT NULL, media INTEGER NOT NULL,
    topic TEXT NOT NULL, payload BLOB NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS file_mark (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    stretches INTEGER NOT NULL, finished INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS unsendable (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, size INTEGER NOT NULL,
    reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
# Version 1 forgot a message at its acknowledgement.
_FROM_1 = """
ALTER TABLE message ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
DROP INDEX IF EXISTS message_in_order;
"""
_INDEX = "CREATE INDEX IF NOT EXISTS message_to_send ON message (acknowledged, again, priority, number);"


def migrate(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older version to this one: as a whole, or not at all.

    Raises:
        ValueError: they are of a later version.
        sqlite3.DatabaseError: the file is not a database, is broken, or has no room.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"an outbox of version {version}; this Wildpost reads up to {VERSION}")
    if version == VERSION:
        return
    steps = (_FROM_1 if version == 1 else "") + _TABLES + _INDEX
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.DatabaseError:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
