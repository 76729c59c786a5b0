"""Effort: when a sensor was watching, when it was not, and why; a time without a record is unknown, not empty."""

from datetime import datetime

from contract import Effort, new_event_id
from contract.messages import Gap


class EffortLog:
    """Effort of one sensor, as consecutive intervals of watching or of a gap."""

    def __init__(self, station: str, sensor: str, deployment: str, now: datetime) -> None:
        """Open the first interval, in the watching state."""
        self._names = {"station": station, "sensor": sensor, "deployment": deployment}
        self._since = now
        self._gap: Gap | None = None
        self._note = ""
        self._captures = 0

    @property
    def gap(self) -> Gap | None:
        """Reason why the sensor is not watching now; None while it is watching."""
        return self._gap

    def count_capture(self) -> None:
        """Count a capture in the open interval."""
        self._captures += 1

    def set_state(self, now: datetime, gap: Gap | None = None, note: str = "") -> Effort | None:
        """Start an interval with another gap and return the closed one; None: the gap has not changed."""
        if gap == self._gap:
            return None
        return self.close(now, gap, note)

    def close(self, now: datetime, gap: Gap | None = None, note: str = "") -> Effort:
        """Close the open interval, open the next one with this gap, and return the closed one."""
        # If the clock was set back meanwhile, the interval must not have a negative length.
        end = max(now, self._since)
        effort = Effort(
            effort_id=new_event_id(),
            start=self._since,
            end=end,
            watching=self._gap is None,
            gap=self._gap,
            captures=self._captures,
            note=self._note,
            **self._names,
        )
        self._since, self._gap, self._note, self._captures = end, gap, note[:2000], 0
        return effort

    def close_if_due(self, now: datetime, every_s: float) -> Effort | None:
        """Close the interval if it is at least ``every_s`` long and continue in the same state; None: it is shorter.

        The server thus receives the effort of a long interval before the state changes.
        """
        if (now - self._since).total_seconds() < every_s:
            return None
        return self.close(now, self._gap, self._note)
