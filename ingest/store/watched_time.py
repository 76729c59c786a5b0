"""Calculation of the time that the sensors of each station watched, per local day."""

from collections.abc import Iterable, Sequence
from datetime import date

from ingest.store.counts import OffsetPeriod
from ingest.store.effort import SensorEffort
from ingest.store.microseconds import DAY_US, EPOCH, MICROSECOND, microseconds


def watched_by_day(
    effort: Iterable[SensorEffort], first: date, days: int, stretches: Sequence[OffsetPeriod]
) -> dict[str, tuple[float | None, ...]]:
    """Sum the time that the sensors of each station watched, per local day.

    Args:
        effort: Timelines without overlaps, as ``Store.effort`` returns them.
        first: The first local day.
        days: Number of local days.
        stretches: Periods of one offset from UTC each, as ``CountQuery`` has them; time outside them is ignored.

    Returns:
        For each station (days,) sensor-seconds: two sensors that watch for an hour are 7,200. None where no sensor is
        known to have watched: nothing can be said about such a day, so it is never 0.
    """
    midnight_us = (first - EPOCH.date()).days * DAY_US
    local = [
        (microseconds(one.start), microseconds(one.end), one.offset // MICROSECOND - midnight_us) for one in stretches
    ]
    watched_us: dict[str, list[int]] = {}
    for sensor in effort:
        sums = watched_us.setdefault(sensor.station, [0] * days)
        for interval in sensor.intervals:
            if interval.state == "watching":
                start_us, end_us = microseconds(interval.start), microseconds(interval.end)
                for from_us, to_us, shift_us in local:
                    _add(sums, max(start_us, from_us) + shift_us, min(end_us, to_us) + shift_us)
    return {station: tuple(us / 1_000_000 or None for us in sums) for station, sums in watched_us.items()}


def _add(sums: list[int], start_us: int, end_us: int) -> None:
    """Divide a time span by local day, and add the length of each part to the sum of that day.

    Times are microseconds since the first local midnight.
    """
    while start_us < end_us:
        day = start_us // DAY_US
        until_us = min(end_us, (day + 1) * DAY_US)
        if 0 <= day < len(sums):
            sums[day] += until_us - start_us
        start_us = until_us
