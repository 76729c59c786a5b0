"""Corrections of the clocks of sensors: who shifts which capture times by how much, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from casebook.incidents.database import Database
from casebook.tables import clock_shift
from contract.errors import InvalidInput

LONGEST = timedelta(days=100 * 366)  # from 1970 to the present, with room


class ShiftRefused(InvalidInput):
    """The correction cannot be recorded; the message says why."""


@dataclass(frozen=True, slots=True)
class ClockShift:
    """A correction of the times of one sensor's captures; the stations' messages stay as they are.

    Attributes:
        shift_id: Number of the correction, as text.
        station: The station.
        sensor: The sensor.
        start: Captures from this time by the wrong clock on are corrected, UTC.
        end: Captures before this time by the wrong clock are corrected, UTC.
        shift: What is added to their times.
        reason: Why.
        made_by: Who made the correction.
        made_at: When, UTC.
        undone_by: Who undid it; "": it is in force.
        undone_at: When it was undone, UTC.
    """

    shift_id: str
    station: str
    sensor: str
    start: datetime
    end: datetime
    shift: timedelta
    reason: str
    made_by: str
    made_at: datetime
    undone_by: str = ""
    undone_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ShiftRefused(f"the period ends at {self.end}: expected a time after its start, {self.start}")
        if not timedelta(0) < abs(self.shift) <= LONGEST:
            raise ShiftRefused(f"a shift of {self.shift}: expected one other than 0, of at most {LONGEST.days} days")
        for name in ("reason", "made_by"):
            if not 0 < len(getattr(self, name)) <= 500:
                raise ShiftRefused(f"{name}: expected 1 to 500 characters")


class ClockShifts:
    """Repository of the corrections of clocks; of several for one sensor, no two that are in force overlap."""

    def __init__(self, database: Database) -> None:
        """Use the casebook's database, which the caller closes."""
        self._database = database

    def record(self, new: ClockShift) -> ClockShift:
        """Record a correction and return it with its number.

        Raises:
            ShiftRefused: it overlaps one that is in force.
            StoreUnavailable: the casebook does not answer.
        """
        with self._database.exclusive() as connection:
            same = select(clock_shift).where(
                clock_shift.c.station == new.station,
                clock_shift.c.sensor == new.sensor,
                clock_shift.c.undone_by == "",
                clock_shift.c.start < new.end,
                clock_shift.c.end > new.start,
            )
            if other := connection.execute(same).mappings().first():
                raise ShiftRefused(
                    f"correction {other['id']} of {new.station} {new.sensor} overlaps this period: undo it first"
                )
            values = {
                "station": new.station,
                "sensor": new.sensor,
                "start": new.start,
                "end": new.end,
                "shift_us": new.shift // timedelta(microseconds=1),
                "reason": new.reason,
                "made_by": new.made_by,
                "made_at": new.made_at,
                "undone_by": "",
            }
            number = connection.execute(insert(clock_shift).values(**values)).inserted_primary_key
        assert number is not None  # noqa: S101, the statement inserts one row
        return _shift({**values, "id": number[0], "undone_at": None})

    def undo(self, shift_id: str, by: str, at: datetime) -> None:
        """Put a correction out of force.

        Raises:
            ShiftRefused: there is no such correction in force, or nobody is named.
            StoreUnavailable: the casebook does not answer.
        """
        if not 0 < len(by) <= 500:
            raise ShiftRefused("undone by: expected 1 to 500 characters")
        number = int(shift_id) if shift_id.isascii() and shift_id.isdigit() and len(shift_id) < 10 else 0
        with self._database.begin() as connection:
            query = update(clock_shift).where(clock_shift.c.id == number, clock_shift.c.undone_by == "")
            if not connection.execute(query.values(undone_by=by, undone_at=at)).rowcount:
                raise ShiftRefused(f"correction {shift_id!r}: there is none of this number in force")

    def all(self) -> Sequence[ClockShift]:
        """List all corrections in the order of their recording, also those that were undone."""
        with self._database.begin() as connection:
            rows = connection.execute(select(clock_shift).order_by(clock_shift.c.id)).mappings().all()
        return [_shift(dict(row)) for row in rows]

    def in_force(self) -> Sequence[ClockShift]:
        """List the corrections that were not undone."""
        return [one for one in self.all() if not one.undone_by]


def _shift(row: dict[str, object]) -> ClockShift:
    values = dict(row)
    number, microseconds = values.pop("id"), values.pop("shift_us")
    assert isinstance(microseconds, int)  # noqa: S101, the column's type
    return ClockShift(shift_id=str(number), shift=timedelta(microseconds=microseconds), **values)  # type: ignore[arg-type]
