"""SQLite tables of the outbox, and the migration of outbox files of older versions."""

import sqlite3

VERSION = 3

_TABLES = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, priority INTEGER NOT NULL, media INTEGER NOT NULL,
    topic TEXT NOT NULL, payload BLOB NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0, worth INTEGER NOT NULL DEFAULT 2);
CREATE TABLE IF NOT EXISTS file_mark (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    stretches INTEGER NOT NULL, finished INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sound_mark (
    path TEXT PRIMARY KEY, frames INTEGER NOT NULL, payload_size INTEGER NOT NULL, payload_sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unsendable (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, size INTEGER NOT NULL,
    reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS visit (
    visit_id TEXT PRIMARY KEY, sensor TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    best TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS visit_by_time ON visit (sensor, start_us);
"""
# Version 1 deleted a message as soon as it was acknowledged.
_FROM_1 = """
ALTER TABLE message ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
DROP INDEX IF EXISTS message_in_order;
"""
_FROM_2 = """
ALTER TABLE message ADD COLUMN worth INTEGER NOT NULL DEFAULT 2;
DROP INDEX IF EXISTS message_to_send;
"""
# The triggers keep the totals, so that no query adds up the table: a station may have 40,000 unsent media.
_INDEXES_AND_TOTALS = """
CREATE INDEX IF NOT EXISTS message_to_send ON message (acknowledged, topic, again, priority, number);
CREATE INDEX IF NOT EXISTS message_to_evict ON message ((acknowledged OR again) DESC, worth, number) WHERE media;
CREATE TABLE IF NOT EXISTS total (
    id INTEGER PRIMARY KEY CHECK (id = 1), unsent INTEGER NOT NULL, media_bytes INTEGER NOT NULL);
INSERT OR REPLACE INTO total
    SELECT 1, coalesce(sum(acknowledged = 0), 0), coalesce(sum(CASE WHEN media THEN length(payload) ELSE 0 END), 0)
    FROM message;
CREATE TRIGGER IF NOT EXISTS message_added AFTER INSERT ON message BEGIN
    UPDATE total SET unsent = unsent + (NEW.acknowledged = 0),
        media_bytes = media_bytes + CASE WHEN NEW.media THEN length(NEW.payload) ELSE 0 END WHERE id = 1;
END;
CREATE TRIGGER IF NOT EXISTS message_deleted AFTER DELETE ON message BEGIN
    UPDATE total SET unsent = unsent - (OLD.acknowledged = 0),
        media_bytes = media_bytes - CASE WHEN OLD.media THEN length(OLD.payload) ELSE 0 END WHERE id = 1;
END;
CREATE TRIGGER IF NOT EXISTS message_acknowledged AFTER UPDATE OF acknowledged ON message BEGIN
    UPDATE total SET unsent = unsent + (NEW.acknowledged = 0) - (OLD.acknowledged = 0) WHERE id = 1;
END;
"""


def migrate(connection: sqlite3.Connection) -> None:
    """Create the outbox tables, or migrate the tables of an older version, in one transaction.

    Raises:
        ValueError: the tables are of a later version.
        sqlite3.DatabaseError: the file is not a database, the database is corrupt, or the disk is full.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"the outbox has version {version}; this Wildpost reads versions up to {VERSION}")
    if version == VERSION:
        return
    steps = (_FROM_1 if version == 1 else "") + (_FROM_2 if version in (1, 2) else "") + _TABLES + _INDEXES_AND_TOTALS
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.DatabaseError:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
