"""Correction of capture times in a DuckDB store: events move to their corrected time, their payloads stay."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import duckdb
import msgspec

from casebook.clock_shifts import ClockShift
from contract import Clock, Event
from ingest.store.duckdb.columns import BOOLEAN, INTEGER, TEXT, as_table, to_columns
from ingest.store.microseconds import MICROSECOND, microseconds
from ingest.store.order import AHEAD_US, EARLIEST_US, is_hour_known

_MOVE = f"""
INSERT INTO shifted_event SELECT event.event_id, shift.shift_id, shift.shift_us, event.listed_us,
    (SELECT any_value(hour_known) FROM detection WHERE detection.event_id = event.event_id)
FROM event JOIN clock_shift shift ON event.station = shift.station AND event.payload->>'$.sensor' = shift.sensor
    AND event.captured_us >= shift.start_us AND event.captured_us < shift.end_us
    AND event.captured_us + shift.shift_us BETWEEN {EARLIEST_US} AND event.received_us + {AHEAD_US}
WHERE event.event_id NOT IN (SELECT event_id FROM shifted_event)
"""
_LIST_AT_CORRECTED_TIME = """
UPDATE event SET listed_us = event.captured_us + moved.shift_us FROM shifted_event moved
    WHERE moved.event_id = event.event_id AND event.listed_us <> event.captured_us + moved.shift_us;
UPDATE detection SET listed_us = detection.captured_us + moved.shift_us, hour_known = true FROM shifted_event moved
    WHERE moved.event_id = detection.event_id;
"""
_MOVE_EVENTS_BACK = """
UPDATE event SET listed_us = moved.listed_us FROM shifted_event moved
    WHERE moved.event_id = event.event_id AND moved.shift_id = ?
"""
_MOVE_DETECTIONS_BACK = """
UPDATE detection SET listed_us = moved.listed_us, hour_known = moved.hour_known FROM shifted_event moved
    WHERE moved.event_id = detection.event_id AND moved.shift_id = ?
"""
_FORGET_EVENTS = "DELETE FROM shifted_event WHERE shift_id = ?"
_FORGET_SHIFT = "DELETE FROM clock_shift WHERE shift_id = ?"


def set_clock_shifts(connection: duckdb.DuckDBPyConnection, shifts: Sequence[ClockShift]) -> dict[str, int]:
    """Make the given corrections the ones in force, within a transaction of the caller; idempotent.

    Returns:
        The number of moved captures of each correction.
    """
    stored = {row.shift_id: row for row in shifts_in_force(connection)}
    wanted = {one.shift_id: _Row.of(one) for one in shifts}
    for shift_id in sorted(shift_id for shift_id, row in stored.items() if wanted.get(shift_id) != row):
        for statement in (_MOVE_EVENTS_BACK, _MOVE_DETECTIONS_BACK, _FORGET_EVENTS, _FORGET_SHIFT):
            connection.execute(statement, [shift_id])
    added = [row for shift_id, row in sorted(wanted.items()) if stored.get(shift_id) != row]
    for row in added:
        connection.execute("INSERT INTO clock_shift VALUES (?, ?, ?, ?, ?, ?)", list(row))
    if added:
        connection.execute(_MOVE)
        connection.execute(_LIST_AT_CORRECTED_TIME)
    moved = connection.execute("SELECT shift_id, count(*) FROM shifted_event GROUP BY shift_id").fetchall()
    return dict.fromkeys(wanted, 0) | dict(moved)


class _Row(NamedTuple):
    """A row of the table ``clock_shift``."""

    shift_id: str
    station: str
    sensor: str
    start_us: int
    end_us: int
    shift_us: int

    @classmethod
    def of(cls, one: ClockShift) -> Self:
        period = microseconds(one.start), microseconds(one.end)
        return cls(one.shift_id, one.station, one.sensor, *period, one.shift // MICROSECOND)

    def moves(self, event: Event, received_us: int) -> bool:
        captured_us = microseconds(event.captured_at)
        return (
            (event.station, event.sensor) == (self.station, self.sensor)
            and self.start_us <= captured_us < self.end_us
            and EARLIEST_US <= captured_us + self.shift_us <= received_us + AHEAD_US
        )


class ShiftedEvent(NamedTuple):
    """A row of the table ``shifted_event``: how an event is listed without its correction."""

    event_id: str
    shift_id: str
    shift_us: int
    listed_us: int
    hour_known: bool


def shifts_in_force(connection: duckdb.DuckDBPyConnection) -> list[_Row]:
    """Return the corrections in force."""
    return [_Row(*row) for row in connection.execute("SELECT * FROM clock_shift").fetchall()]


def shifted(shifts: Sequence[_Row], event: Event, received_us: int, listed_us: int) -> ShiftedEvent | None:
    """Return how a new event is corrected; None if no correction applies to it.

    Args:
        shifts: The corrections in force.
        event: The event.
        received_us: Time of receipt, in microseconds since 1970.
        listed_us: The time under which it is listed without a correction.
    """
    row = next((row for row in shifts if row.moves(event, received_us)), None)
    if row is None:
        return None
    return ShiftedEvent(event.event_id, row.shift_id, row.shift_us, listed_us, is_hour_known(event, listed_us))


def corrected_event(event: Event, shift_us: int) -> Event:
    """Return an event with its corrected time and clock."""
    clock = Clock(source="corrected", synchronised=False)
    return msgspec.structs.replace(event, captured_at=event.captured_at + shift_us * MICROSECOND, clock=clock)


def insert_shifted(connection: duckdb.DuckDBPyConnection, events: Sequence[ShiftedEvent]) -> None:
    """Record how new events are listed without their correction."""
    kinds = {"event_id": TEXT, "shift_id": TEXT, "shift_us": INTEGER, "listed_us": INTEGER, "hour_known": BOOLEAN}
    with as_table(connection, "moved", to_columns(events, kinds)):
        connection.execute("INSERT INTO shifted_event SELECT * FROM moved")
