"""Independent records: which of several captures of one species at one place count."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ComparedTo = Literal["last record", "last independent record"]
USUAL_INTERVAL = timedelta(minutes=30)


def independent_records(
    times: Sequence[datetime],
    interval: timedelta = USUAL_INTERVAL,
    compared_to: ComparedTo = "last independent record",
) -> list[bool]:
    """Return which records of one species at one place are independent.

    A record is independent if it is the first, or at least ``interval`` after the record that it is compared to. Both
    definitions are those of camtrapR (Niedballa et al. 2016, doi:10.1111/2041-210X.12600).

    Args:
        times: Times of the records, in ascending order.
        interval: Independence interval.
        compared_to: "last record": the record before, independent or not, so an animal that stays in front of the
            camera counts once, however long it stays. "last independent record": the last one that counted, so it
            counts once per interval.

    Raises:
        ValueError: the times are not in ascending order.
    """
    kept: list[bool] = []
    last: datetime | None = None
    before: datetime | None = None
    for time in times:
        if before is not None and time < before:
            raise ValueError(f"{time} comes after {before}: expected times in ascending order")
        reference = before if compared_to == "last record" else last
        independent = reference is None or time - reference >= interval
        kept.append(independent)
        last = time if independent else last
        before = time
    return kept


def independent_mask(
    group: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    interval: timedelta = USUAL_INTERVAL,
    compared_to: ComparedTo = "last independent record",
) -> NDArray[np.bool_]:
    """Return which records of many groups are independent; the same as ``independent_records`` for each group.

    Args:
        group: (n,) number of the group of each record, such as one species at one place, in ascending order.
        time_ms: (n,) times in milliseconds, in ascending order within each group.
        interval: Independence interval.
        compared_to: Which record a record is compared to; see ``independent_records``.

    Returns:
        (n,) true for each independent record.
    """
    if not len(group):
        return np.zeros(0, bool)
    interval_ms = interval // timedelta(milliseconds=1)
    first = np.ones(len(group), bool)
    first[1:] = (np.diff(group) != 0) | (np.diff(time_ms) >= interval_ms)
    if compared_to == "last record" or interval_ms <= 0:
        return first
    # Records between two of ``first`` follow each other closely. In those that last longer than the interval, a record
    # is independent if it is the first one at least an interval after the last independent one.
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(group))
    long = time_ms[ends - 1] - time_ms[begins] >= interval_ms
    current, ends = begins[long], ends[long]
    if not len(current):
        return first
    # One ascending axis for all groups, in which no group reaches into the next.
    axis = time_ms - time_ms.min()
    axis += (np.cumsum(np.diff(group, prepend=group[:1]) != 0)) * (axis.max() + interval_ms + 1)
    while len(current):
        following = np.searchsorted(axis, axis[current] + interval_ms)
        inside = following < ends
        current, ends = following[inside], ends[inside]
        first[current] = True
    return first
