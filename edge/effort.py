"""Effort of a sensor: when it was watching, when it was not, and why; a time without a record is unknown.

Intervals are measured by a clock that never jumps, and dated when the date is known. So an interval is never longer
than the time for which the station ran, whatever happens to the system clock.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from contract import Effort, new_event_id
from contract.messages import Gap
from edge.clocks import Reading, read_clocks
from edge.time_ranges import TimeRanges

MOST_UNDATED = 1000  # intervals that wait for the date; beyond it the oldest remain unknown
_STEP_S = 1.0  # smaller changes of the system clock are corrections of its rate, and dates are no more exact
_SUSPENDED_S = 1.0


class _Interval(NamedTuple):
    """A closed interval, in seconds since the machine booted."""

    start_s: float
    end_s: float
    gap: Gap | None
    note: str
    captures: int


class EffortLog:
    """Effort of one sensor as consecutive intervals; in each interval it either watches or has a gap."""

    def __init__(
        self,
        station: str,
        sensor: str,
        deployment: str,
        now: datetime,
        sent: Iterable[tuple[datetime, datetime]] = (),
        clocks: Callable[[datetime], Reading] = read_clocks,
    ) -> None:
        """Open the sensor's first interval, in the watching state.

        Args:
            station: Name of the station.
            sensor: Name of the sensor.
            deployment: Id of the deployment.
            now: Current time by the system clock.
            sent: Times for which effort was sent before; it is not sent again. See ``sent``.
            clocks: Reads the clocks that do not jump.
        """
        self._station, self._sensor, self._deployment = station, sensor, deployment
        self._clocks = clocks
        self._gap: Gap | None = None
        self._note = ""
        self._captures = 0
        self._undated: list[_Interval] = []
        self._sent = TimeRanges(sent)
        self._booted_at: datetime | None = None  # by the system clock; None: the date is not known yet
        self._last = self._clocks(now)
        self._asleep_s = self._last.up_s - self._last.awake_s
        self._since_s = self._last.up_s
        self._learn_date()

    @property
    def gap(self) -> Gap | None:
        """Reason why the sensor is not watching now, or None while it is watching."""
        return self._gap

    @property
    def sent(self) -> TimeRanges:
        """Times of all intervals that were returned, to be stored for the next start."""
        return self._sent

    @property
    def undated_s(self) -> float:
        """Total length of the closed intervals whose date is not known, in seconds."""
        return sum(one.end_s - one.start_s for one in self._undated)

    def count_capture(self) -> None:
        """Add one to the number of captures in the open interval."""
        self._captures += 1

    def set_state(self, now: datetime, gap: Gap | None = None, note: str = "") -> list[Effort]:
        """Close the open interval and start the next if the gap has changed; return the intervals to send."""
        self._observe(now)
        if gap != self._gap:
            self._split(self._last.up_s, gap, note)
        return self._dated()

    def close(self, now: datetime) -> list[Effort]:
        """Close the last interval and return all intervals to send; a plausible date is used if none is known.

        Intervals without a date are not returned: the server shows their time as unknown. See ``undated_s``.
        """
        self._observe(now)
        if self._booted_at is None and self._last.plausible:
            self._booted_at = self._last.wall - timedelta(seconds=self._last.up_s)
        self._split(self._last.up_s, self._gap, self._note)
        return self._dated()

    def close_if_due(self, now: datetime, every_s: float) -> list[Effort]:
        """Close an interval of at least ``every_s`` and start the next in the same state; return those to send.

        The server thus receives the effort of a long interval before the state changes.
        """
        self._observe(now)
        if self._booted_at is not None and self._last.up_s - self._since_s >= every_s:
            self._split(self._last.up_s, self._gap, self._note)
        return self._dated()

    def _observe(self, now: datetime) -> None:
        """Read the clocks; a time in which the machine was suspended becomes a gap."""
        before, self._last = self._last, self._clocks(now)
        asleep_s = self._last.up_s - self._last.awake_s
        if asleep_s - self._asleep_s > _SUSPENDED_S:
            gap, note = self._gap, self._note
            fell_asleep_s = max(self._since_s, before.up_s, self._last.up_s - (asleep_s - self._asleep_s))
            self._split(fell_asleep_s, "off", "the machine was suspended")
            self._split(self._last.up_s, gap, note)
            self._asleep_s = asleep_s
        self._learn_date()

    def _learn_date(self) -> None:
        if not self._last.known:
            return  # a date that was known before holds: the other clock has gone on
        booted_at = self._last.wall - timedelta(seconds=self._last.up_s)
        if self._booted_at is None or abs((booted_at - self._booted_at).total_seconds()) > _STEP_S:
            self._booted_at = booted_at

    def _split(self, at_s: float, gap: Gap | None, note: str) -> None:
        if at_s > self._since_s:
            self._undated.append(_Interval(self._since_s, at_s, self._gap, self._note, self._captures))
            self._captures = 0
            del self._undated[:-MOST_UNDATED]
        self._since_s, self._gap, self._note = at_s, gap, note[:2000]

    def _dated(self) -> list[Effort]:
        """Return the closed intervals with their dates, without times for which effort was sent before."""
        if self._booted_at is None:
            return []
        found: list[Effort] = []
        captures = 0
        for one in self._undated:
            captures += one.captures
            start, end = (self._booted_at + timedelta(seconds=second) for second in (one.start_s, one.end_s))
            for free_start, free_end in self._sent.without(start, end):
                found.append(
                    Effort(
                        effort_id=new_event_id(),
                        station=self._station,
                        sensor=self._sensor,
                        deployment=self._deployment,
                        start=free_start,
                        end=free_end,
                        watching=one.gap is None,
                        gap=one.gap,
                        captures=captures,
                        note=one.note,
                    )
                )
                captures = 0
            self._sent.add(start, end)
        self._undated.clear()
        self._captures += captures  # of times that were sent before
        return found
