"""Effort of a sensor: when it was watching, when it was not, and why; a time without a record is unknown."""

from datetime import datetime

from contract import Effort, new_event_id
from contract.messages import Gap


class EffortLog:
    """Effort of one sensor as consecutive intervals; in each interval it either watches or has a gap."""

    def __init__(self, station: str, sensor: str, deployment: str, now: datetime) -> None:
        """Open the sensor's first interval, in the watching state."""
        self._names = {"station": station, "sensor": sensor, "deployment": deployment}
        self._since = now
        self._gap: Gap | None = None
        self._note = ""
        self._captures = 0

    @property
    def gap(self) -> Gap | None:
        """Reason why the sensor is not watching now, or None while it is watching."""
        return self._gap

    def count_capture(self) -> None:
        """Add one to the number of captures in the open interval."""
        self._captures += 1

    def set_state(self, now: datetime, gap: Gap | None = None, note: str = "") -> Effort | None:
        """Close the open interval and start the next if the gap has changed; return the closed interval or None."""
        if gap == self._gap:
            return None
        return self.close(now, gap, note)

    def close(self, now: datetime, gap: Gap | None = None, note: str = "") -> Effort:
        """Close the open interval, start the next one with ``gap``, and return the closed interval."""
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
        """Close an interval of at least ``every_s`` and start the next in the same state; else return None.

        The server thus receives the effort of a long interval before the state changes.
        """
        if (now - self._since).total_seconds() < every_s:
            return None
        return self.close(now, self._gap, self._note)
