"""Set of time ranges, to find the part of a range that is not covered yet."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Self

MOST_RANGES = 100  # a new one begins at each start of the station and at each jump of its clock


class TimeRanges:
    """The most recently added time ranges, at most ``MOST_RANGES``; ranges that touch are joined."""

    def __init__(self, ranges: Iterable[tuple[datetime, datetime]] = ()) -> None:
        """Start with some ranges, as pairs of start and end."""
        self._ranges = list(ranges)[-MOST_RANGES:]

    def __iter__(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield the ranges in the order in which they were added."""
        return iter(self._ranges)

    def add(self, start: datetime, end: datetime) -> None:
        """Add a range, and join it with those that it touches."""
        touching = [one for one in self._ranges if one[0] <= end and start <= one[1]]
        for one in touching:
            self._ranges.remove(one)
            start, end = min(start, one[0]), max(end, one[1])
        self._ranges.append((start, end))
        del self._ranges[:-MOST_RANGES]

    def without(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the parts of a range that no range of the set covers, in order of time."""
        free = []
        for covered_start, covered_end in sorted(self._ranges):
            if covered_end <= start or covered_start >= end:
                continue
            if covered_start > start:
                free.append((start, covered_start))
            start = covered_end
        return [*free, (start, end)] if start < end else free

    def to_text(self) -> str:
        """Return the ranges as JSON, for ``from_text``."""
        return json.dumps([[start.isoformat(), end.isoformat()] for start, end in self._ranges])

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        """Return the ranges of a text of ``to_text``; none of None."""
        pairs = json.loads(text) if text else []
        return cls((datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in pairs)
