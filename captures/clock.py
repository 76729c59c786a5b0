"""Source and accuracy of this machine's clock."""

import ctypes
import sys
from datetime import UTC, datetime

from contract import Clock

# A clock before this day has not been set since start-up: no station ran this software then.
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_MICROSECOND = 1e-6


class _Timex(ctypes.Structure):
    """First fields of struct timex of adjtimex(2), with padding for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def system_clock(now: datetime) -> Clock:
    """Return the source and the estimated error of the system clock, as the kernel reports them.

    Args:
        now: Current time by the system clock.
    """
    if now < EARLIEST:
        return Clock(source="none", synchronised=False)
    if not sys.platform.startswith("linux"):
        return Clock(source="system", synchronised=False)
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return Clock(source="system", synchronised=False)
    if timex.status & _UNSYNCHRONISED:
        return Clock(source="system", synchronised=False)
    return Clock(source="ntp", synchronised=True, error_s=timex.esterror * _MICROSECOND)
