"""Tells which captures belong to one visit of one animal, one person, one vehicle."""

from datetime import datetime, timedelta

from contract import new_event_id


class Visits:
    """Captures of one sensor that follow each other within a gap share a visit."""

    def __init__(self, gap_s: float) -> None:
        """Set the gap.

        Args:
            gap_s: Longest pause within a visit; a new one begins after it.
        """
        self._gap = timedelta(seconds=gap_s)
        self._last: datetime | None = None
        self._visit_id = ""

    def visit_of(self, captured_at: datetime) -> str:
        """Name the visit that a capture belongs to; captures come in the order they were taken."""
        if self._last is None or abs(captured_at - self._last) > self._gap:
            self._visit_id = new_event_id()
        self._last = captured_at
        return self._visit_id
