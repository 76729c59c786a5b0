"""Runs of consecutive events of a station's chain, from which missing events show, however late others arrive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

MOST_RUNS = 1000  # per chain; a station that leaves out more is not told apart from one that lies


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
    """Return the runs with one more event, in the order of their numbers, and whether it contradicts its neighbours.

    An event that is within a run was received before: a different one with its id is found by the store.
    """
    before = next((run for run in runs if run.last == event.number - 1), None)
    after = next((run for run in runs if run.first == event.number + 1), None)
    if any(run.first <= event.number <= run.last for run in runs):
        return list(runs), any(run.last == event.number and run.digest != event.digest for run in runs)
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
    kept = [run for run in runs if run is not before and run is not after]
    return sorted([*kept, new], key=lambda run: run.first), fork


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
