"""Runs of consecutive events of a station's chain, from which missing events show, however late others arrive."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

MOST_RUNS = 1000  # per chain; events that would begin a further run are left out


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events of one chain.

    Attributes:
        first: Number of the first event.
        last: Number of the last event.
        previous: Hash of the event before the first, as the first names it.
        digest: Hash of the last event.
        since: When the first of these events arrived.
    """

    first: int
    last: int
    previous: str
    digest: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """One event of a chain, with the hash of its payload, the hash that it names, and its time of arrival."""

    number: int
    previous: str
    digest: str
    at: datetime


def with_event(runs: Sequence[Run], event: Linked) -> tuple[list[Run], bool]:
    """Return the runs with one more event, and whether it contradicts its neighbours.

    An event that is within a run was received before: a different one with its id is found by the store.

    Args:
        runs: The runs of the chain, in the order of their numbers.
        event: The event.
    """
    place = bisect_right(runs, event.number, key=lambda run: run.first)
    before = runs[place - 1] if place and runs[place - 1].last >= event.number - 1 else None
    after = runs[place] if place < len(runs) and runs[place].first == event.number + 1 else None
    if before is not None and before.last >= event.number:
        return list(runs), before.last == event.number and before.digest != event.digest
    if before is None and after is None and len(runs) >= MOST_RUNS:
        return list(runs), False
    fork = (before is not None and before.digest != event.previous) or (
        after is not None and after.previous != event.digest
    )
    new = Run(event.number, event.number, event.previous, event.digest, event.at)
    if before is not None:
        new = replace(new, first=before.first, previous=before.previous, since=before.since)
    if after is not None:
        since = min(new.since, after.since) if before is None else new.since
        new = replace(new, last=after.last, digest=after.digest, since=since)
    return [*runs[: place - (before is not None)], new, *runs[place + (after is not None) :]], fork


def gaps(runs: Sequence[Run], arrived_before: datetime) -> list[tuple[int, int]]:
    """Return the first and last number of each gap behind which events arrived before a time.

    The events of a younger gap may still be on their way: urgent events overtake others.
    """
    found = []
    end = 0
    for run in runs:
        if run.first > end + 1 and run.since < arrived_before:
            found.append((end + 1, run.first - 1))
        end = run.last
    return found
