"""Table rows of ``FileMark``: which capture files, and how much of each recording's sound, have been processed."""

import sqlite3
from typing import Any

from captures.recording import Payload
from captures.sound import Heard
from edge.capture.clip import FileMark

_SELECT = (
    "SELECT path, size, modified_ns, stretches, finished, frames, payload_size, payload_sha256 "
    "FROM file_mark LEFT JOIN sound_mark USING (path)"
)
_MOST_ALIKE = 20


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
    row = connection.execute(f"{_SELECT} WHERE path = ?", [path]).fetchone()
    return None if row is None else _mark(row)


def find_alike(connection: sqlite3.Connection, size: int, modified_ns: int) -> list[FileMark]:
    """Return the marks of recordings of this size and modification time, which a file keeps when it is renamed."""
    rows = connection.execute(
        f"{_SELECT} WHERE size = ? AND modified_ns = ? AND frames IS NOT NULL LIMIT ?", [size, modified_ns, _MOST_ALIKE]
    )
    return [_mark(row) for row in rows]


def paths_of_size(connection: sqlite3.Connection, size: int) -> list[str]:
    """Return the paths of processed files of a size, the latest first."""
    rows = connection.execute(
        "SELECT path FROM file_mark WHERE size = ? ORDER BY modified_ns DESC LIMIT ?", [size, _MOST_ALIKE]
    )
    return [path for (path,) in rows]


def _mark(row: tuple[Any, ...]) -> FileMark:
    path, size, modified_ns, stretches, finished, frames, payload_size, payload_sha256 = row
    heard = None if frames is None else Heard(frames, Payload(payload_size, payload_sha256))
    return FileMark(path, size, modified_ns, stretches, bool(finished), heard)
