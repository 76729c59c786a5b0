"""Readings of the machine's clocks: the system clock, which may jump, and clocks that only count seconds."""

import time
from datetime import datetime
from typing import NamedTuple

from captures.clock import system_clock

SYNC_WAIT_S = 600.0  # after boot; a network and its time servers are usually reached within a minute


class Reading(NamedTuple):
    """One instant, as three clocks show it.

    Attributes:
        wall: Time by the system clock, which may be wrong and may jump.
        awake_s: Seconds that the machine has run since it booted, without the time in which it was suspended.
        up_s: Seconds since the machine booted, with the time in which it was suspended.
        plausible: Whether ``wall`` is a date at which this software existed.
        known: Whether ``wall`` can be relied on as the date.
    """

    wall: datetime
    awake_s: float
    up_s: float
    plausible: bool
    known: bool


def read_clocks(now: datetime) -> Reading:
    """Read the clocks of this machine.

    The system clock counts as known if it is synchronised. One that is not, but has a plausible date, counts as known
    some minutes after the boot: a machine without a clock chip boots with the date of its last shutdown, and gets the
    right one from the network if there is any.

    Args:
        now: Current time by the system clock.
    """
    awake_s, up_s = time.clock_gettime(time.CLOCK_MONOTONIC), uptime_s()
    quality = system_clock(now)
    plausible = quality.source != "none"
    return Reading(now, awake_s, up_s, plausible, quality.synchronised or (plausible and up_s >= SYNC_WAIT_S))


def uptime_s() -> float:
    """Return the seconds since the machine booted, with the time in which it was suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
