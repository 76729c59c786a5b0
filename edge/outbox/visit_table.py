"""Table of the visits at each sensor, so that a picture that is uploaded late joins its visit after a restart too."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

from edge.capture.visits import Visit

MOST_VISITS = 50_000  # about 8 MB, and years of visits at one station
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "visit_id, sensor, start_us, end_us, best"


def store_visit(connection: sqlite3.Connection, visit: Visit) -> None:
    """Insert a visit or replace its former state; beyond ``MOST_VISITS``, delete the visits that were added first."""
    connection.execute(
        f"INSERT INTO visit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (visit_id) DO UPDATE "  # noqa: S608
        "SET start_us = excluded.start_us, end_us = excluded.end_us, best = excluded.best",
        [
            visit.visit_id,
            visit.series,
            _microseconds(visit.start),
            _microseconds(visit.end),
            json.dumps(dict(visit.best), ensure_ascii=False),
        ],
    )
    connection.execute("DELETE FROM visit WHERE rowid <= (SELECT max(rowid) FROM visit) - ?", [MOST_VISITS])


def visits_around(connection: sqlite3.Connection, series: str, at: datetime) -> list[Visit]:
    """Return the last visit that began at or before ``at`` and the first that began after it, if there are any."""
    moment = _microseconds(at)
    queries = ("start_us <= ? ORDER BY start_us DESC LIMIT 1", "start_us > ? ORDER BY start_us LIMIT 1")
    rows = [
        connection.execute(
            f"SELECT {_COLUMNS} FROM visit WHERE sensor = ? AND {query}",  # noqa: S608, constants
            [series, moment],
        ).fetchone()
        for query in queries
    ]
    return [
        Visit(visit_id, name, _time(start), _time(end), json.loads(best))
        for visit_id, name, start, end, best in filter(None, rows)
    ]


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
