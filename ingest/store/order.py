"""Order of records whose station's clock, or whose server's clock, may be wrong.

A record of the future must not stay the newest for ever, and one of 1970 must not disappear below older ones.
"""

from datetime import UTC, datetime, timedelta

from contract import Deployment, Event, Health
from ingest.store.microseconds import MICROSECOND, microseconds
from ingest.store.port import Received

# Clocks that were never set begin in 1970 or 1980, so an earlier time is believed only of a synchronised clock.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
EARLIEST_US = microseconds(EARLIEST)
_EARLIEST_SYNCHRONISED_US = microseconds(datetime(1900, 1, 1, tzinfo=UTC))
_AHEAD = timedelta(minutes=10)  # a station's clock may be ahead of the server's by this much and be believed
_STALE = timedelta(days=1)  # a report that stays the latest for so long was not followed by newer ones
AHEAD_US = _AHEAD // MICROSECOND
_LARGEST_ERROR_S = 1_800  # of a time of day that curves of activity are drawn from


def listed_us(event: Event, received_us: int, newest_us: int) -> int:
    """Return the time under which an event is listed, in microseconds since 1970.

    It is the time of the capture, unless the station's clock was not set, or shows a time before 1990 (a synchronised
    one: before 1900) or more than ten minutes after the receipt: then it is the time of receipt. If the server's clock
    is behind the newest event in the list, it was set back, and the time of that event stands for the time of receipt.

    Args:
        event: The event.
        received_us: Time of receipt by the server's clock, in microseconds since 1970.
        newest_us: The time under which the newest stored event is listed.
    """
    latest_us = max(received_us, newest_us)
    return microseconds(event.captured_at) if is_believed(event, latest_us) else latest_us


def is_believed(event: Event, latest_us: int) -> bool:
    """Return whether the time of a capture can be that of a running clock; see ``listed_us``.

    Args:
        event: The event.
        latest_us: Present time, in microseconds since 1970.
    """
    earliest_us = _EARLIEST_SYNCHRONISED_US if event.clock.synchronised else EARLIEST_US
    captured_us = microseconds(event.captured_at)
    return earliest_us <= captured_us <= latest_us + AHEAD_US and event.clock.source != "none"


def is_hour_known(event: Event, listed_us: int) -> bool:
    """Return whether the hour of a capture is known, so that it counts in curves of activity.

    It is not if the clock is not believed, if the time is that of copying, or if a station's own clock was not set or
    may be wrong by more than half an hour. A camera's clock (EXIF) or a battery-backed clock counts as set.

    Args:
        event: The event.
        listed_us: The time under which it is listed, in microseconds since 1970, or the start of its millisecond.
    """
    clock = event.clock
    unset = clock.source == "system" and not clock.synchronised
    believed = microseconds(event.captured_at) // 1000 == listed_us // 1000
    return believed and clock.is_known and not unset and (clock.error_s is None or clock.error_s <= _LARGEST_ERROR_S)


def supersedes(item: Received, current: Health | Deployment, current_received_at: datetime | None) -> bool:
    """Return whether a received report is newer than the latest report known so far.

    Within one boot, the report with the longer uptime is newer. Otherwise the report with the later time is newer if
    both clocks can be believed; if not, or if the later one was received more than a day ago, the one that was received
    later.

    Args:
        item: The received report: health or a deployment.
        current: The latest report of the same station, or of the same deployment.
        current_received_at: When it was received; None: unknown.
    """
    new = item.record
    if isinstance(new, Health) and isinstance(current, Health):
        if new.boot_id == current.boot_id and new.uptime_s != current.uptime_s:
            return new.uptime_s > current.uptime_s
    elif not (isinstance(new, Deployment) and isinstance(current, Deployment)):
        raise TypeError(f"{type(new).__name__} and {type(current).__name__}: expected two reports of one kind")
    if current_received_at is not None and item.received_at - current_received_at > _STALE:
        return True  # nothing newer came for long, so the clock of this report may be behind
    believed = _is_believed(new, item.received_at) and _is_believed(current, current_received_at or item.received_at)
    return new.at >= current.at if believed else True


def _is_believed(report: Health | Deployment, received_at: datetime) -> bool:
    if isinstance(report, Health) and not (report.clock.synchronised and report.clock.source != "none"):
        return False
    return EARLIEST <= report.at <= received_at + _AHEAD
