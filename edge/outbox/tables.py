"""Tables of the outbox, and the migration of older versions."""

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
# Version 1 deleted a message as soon as it was acknowledged.
_FROM_1 = """
ALTER TABLE message ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
DROP INDEX IF EXISTS message_in_order;
"""
_INDEX = "CREATE INDEX IF NOT EXISTS message_to_send ON message (acknowledged, again, priority, number);"


def migrate(connection: sqlite3.Connection) -> None:
    """Create the tables, or migrate those of an older version, in one transaction.

    Raises:
        ValueError: the tables are of a later version.
        sqlite3.DatabaseError: the file is not a database, the database is corrupt, or the disk is full.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"the outbox has version {version}; this Wildpost reads versions up to {VERSION}")
    if version == VERSION:
        return
    steps = (_FROM_1 if version == 1 else "") + _TABLES + _INDEX
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.DatabaseError:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
