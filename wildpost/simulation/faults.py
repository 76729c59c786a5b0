"""Times in which a simulated station is off, blind, without a link, or without the right time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

Role = Literal["sound", "silent", "blind", "clock"]  # what is wrong with a station at the end of the simulated time
ROLES: tuple[Role, ...] = ("silent", "blind", "clock")
_MONTH_H = 30 * 24
_DARK_MONTHS = (11, 12, 1, 2)  # a solar panel yields least


@dataclass(frozen=True, slots=True)
class Period:
    """A time span of whole hours; the end is not included."""

    start: datetime
    end: datetime

    def has(self, moment: datetime) -> bool:
        """Return whether a time is in the span."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one station.

    Attributes:
        off: Without power.
        blind: The camera, or if it has none the microphone, is covered.
        offline: Without a link to the broker: it goes on working, and sends everything when the link is back.
        clockless: After a loss of power, the clock starts in 1970.
    """

    off: Sequence[Period]
    blind: Sequence[Period]
    offline: Sequence[Period]
    clockless: Sequence[Period]

    def is_off(self, moment: datetime) -> bool:
        """Return whether the station is without power."""
        return _in(self.off, moment)

    def is_blind(self, moment: datetime) -> bool:
        """Return whether its first sensor is covered."""
        return _in(self.blind, moment)

    def has_no_clock(self, moment: datetime) -> bool:
        """Return whether its clock began in 1970."""
        return _in(self.clockless, moment)

    def arrival(self, moment: datetime) -> datetime:
        """Return when a message arrives that is sent at a time: at once, or when the link is back."""
        return next((one.end for one in self.offline if one.has(moment)), moment)


def draw_faults(role: Role, start: datetime, end: datetime, random: Random) -> Faults:
    """Draw the faults of a station.

    Args:
        role: What is wrong at the end.
        start: Beginning of the simulated time, on a whole hour.
        end: Its end.
        random: Source of the drawn numbers.
    """
    hours = int((end - start) / timedelta(hours=1))
    off: list[Period] = []
    blind: list[Period] = []
    offline: list[Period] = []
    for first in range(0, max(0, hours - _MONTH_H), _MONTH_H):
        month = (start + timedelta(hours=first)).month
        if random.random() < (0.4 if month in _DARK_MONTHS else 0.12):
            off.append(_period(start, first, random, 12, 96))
        if random.random() < 0.06:
            blind.append(_period(start, first, random, 24, 240))
        if random.random() < 0.15:
            offline.append(_period(start, first, random, 2, 60))
    if role == "silent":
        off.append(Period(end - timedelta(hours=min(60, hours // 2)), end + timedelta(hours=1)))
    elif role == "blind":
        blind.append(Period(end - timedelta(hours=min(96, hours // 2)), end + timedelta(hours=1)))
    clockless = [Period(one.end, one.end + timedelta(hours=30)) for one in off] if role == "clock" else []
    if role == "clock" and not clockless:
        clockless = [Period(start, start + timedelta(hours=min(30, hours // 2)))]
    return Faults(off, blind, offline, clockless)


def _in(periods: Sequence[Period], moment: datetime) -> bool:
    return any(one.has(moment) for one in periods)


def _period(start: datetime, first: int, random: Random, shortest_h: int, longest_h: int) -> Period:
    begin = start + timedelta(hours=first + random.randrange(_MONTH_H - longest_h))
    return Period(begin, begin + timedelta(hours=random.randint(shortest_h, longest_h)))
