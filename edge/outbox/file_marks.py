"""Table rows of ``FileMark``: which capture files, and how much of each recording's sound, have been processed."""

import sqlite3

from captures.recording import Payload
from captures.sound import Heard
from edge.capture.clip import FileMark


def store_mark(connection: sqlite3.Connection, mark: FileMark) -> None:
    """Store a mark in place of the earlier mark of its path, in the transaction of the caller."""
    connection.execute(
        "INSERT OR REPLACE INTO file_mark VALUES (?, ?, ?, ?, ?)",
        [mark.path, mark.size, mark.modified_ns, mark.stretches, mark.finished],
    )
    if mark.heard is not None:  # otherwise the file could not be read, and what was heard before remains heard
        payload = mark.heard.payload
        connection.execute(
            "INSERT OR REPLACE INTO sound_mark VALUES (?, ?, ?, ?)",
            [mark.path, mark.heard.frames, payload.size, payload.sha256],
        )


def find_mark(connection: sqlite3.Connection, path: str) -> FileMark | None:
    """Return the latest mark of a path, whatever the size and time of its file are now; None: there is none."""
    row = connection.execute(
        "SELECT size, modified_ns, stretches, finished, frames, payload_size, payload_sha256 "
        "FROM file_mark LEFT JOIN sound_mark USING (path) WHERE path = ?",
        [path],
    ).fetchone()
    if row is None:
        return None
    heard = None if row[4] is None else Heard(row[4], Payload(row[5], row[6]))
    return FileMark(path, row[0], row[1], row[2], bool(row[3]), heard)
