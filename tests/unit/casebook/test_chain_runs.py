"""Runs of a chain: events in any order, repeated, missing, and contradicting each other."""

import hashlib
import itertools
import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from casebook.chain_runs import MOST_RUNS, Linked, Run, gaps, with_event

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def digest(number: int, kind: str = "") -> str:
    return hashlib.sha256(f"{number}{kind}".encode()).hexdigest()


def linked(number: int, hours: float = 0, kind: str = "") -> Linked:
    return Linked(number, digest(number - 1), digest(number, kind), NOW + timedelta(hours=hours))


def after(*events: Linked) -> tuple[list[Run], int]:
    runs: list[Run] = []
    forks = 0
    for event in events:
        runs, fork = with_event(runs, event)
        forks += fork
    return runs, forks


@given(numbers=st.sets(st.integers(1, 60), min_size=1), repeated=st.integers(0, 20), seed=st.integers())
def test_whatever_the_order_the_gaps_are_what_did_not_arrive(numbers: set[int], repeated: int, seed: int) -> None:
    chance = random.Random(seed)
    arrival = [*numbers, *chance.choices(sorted(numbers), k=repeated)]
    chance.shuffle(arrival)
    runs, forks = after(*map(linked, arrival))
    assert forks == 0
    assert {number for run in runs for number in range(run.first, run.last + 1)} == numbers
    missing = {number for first, last in gaps(runs, NOW + timedelta(days=1)) for number in range(first, last + 1)}
    assert missing == set(range(1, max(numbers))) - numbers
    assert all(one.last + 1 < two.first for one, two in itertools.pairwise(runs))


def test_a_gap_is_told_only_some_time_after_what_follows_it_has_arrived() -> None:
    runs, _ = after(linked(1), linked(4, hours=5), linked(5, hours=30))
    assert gaps(runs, NOW + timedelta(hours=5)) == []
    assert gaps(runs, NOW + timedelta(hours=6)) == [(2, 3)]
    runs, _ = after(linked(1), linked(4, hours=5), linked(2, hours=40), linked(3, hours=40))
    assert gaps(runs, NOW + timedelta(days=9)) == []


def test_a_gap_is_not_younger_because_an_event_before_the_later_one_arrived() -> None:
    runs, _ = after(linked(1), linked(5, hours=5), linked(4, hours=50))
    assert gaps(runs, NOW + timedelta(hours=6)) == [(2, 3)]


def test_two_events_of_one_number_contradict_each_other() -> None:
    assert after(linked(1), linked(2, kind="other"), linked(3))[1] == 1
    assert after(linked(1), linked(3), linked(2, kind="other"))[1] == 1
    assert after(linked(1), linked(2), linked(2, kind="other"))[1] == 1


def test_runs_are_bounded() -> None:
    runs, _ = after(*(linked(2 * number) for number in range(1, MOST_RUNS + 100)))
    assert len(runs) == MOST_RUNS
