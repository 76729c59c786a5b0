"""Groups consecutive captures into visits of one animal, person or vehicle."""

from datetime import datetime, timedelta

from contract import new_event_id


class Visits:
    """Assigns visit ids to the captures of one sensor; captures at most one gap apart share a visit."""

    def __init__(self, gap_s: float) -> None:
        """Store the gap.

        Args:
            gap_s: Longest pause between two captures of one visit, in seconds.
        """
        self._gap = timedelta(seconds=gap_s)
        self._last: datetime | None = None
        self._visit_id = ""

    def visit_of(self, captured_at: datetime) -> str:
        """Return the visit id of a capture; call it in the order in which the captures were taken."""
        if self._last is None or abs(captured_at - self._last) > self._gap:
            self._visit_id = new_event_id()
        self._last = captured_at
        return self._visit_id
