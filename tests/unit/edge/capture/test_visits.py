"""Visits by the time at which captures were taken: in any order of arrival, across restarts, stragglers included."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import Detection
from edge.capture.visits import Visit, Visits, scores_of
from edge.outbox import visit_table
from edge.outbox.outbox import Outbox

START = datetime(2026, 5, 1, 10, tzinfo=UTC)
GAP_S = 60


class Stored:
    """Visits kept in a list, as the outbox keeps them in a table."""

    def __init__(self) -> None:
        self.visits: dict[str, Visit] = {}

    def around(self, series: str, at: datetime) -> list[Visit]:
        of_series = sorted((one for one in self.visits.values() if one.series == series), key=lambda one: one.start)
        before = [one for one in of_series if one.start <= at][-1:]
        return before + [one for one in of_series if one.start > at][:1]

    def take(self, series: str, second: float) -> str:
        at = START + timedelta(seconds=second)
        visit = Visits(GAP_S, self.around).visit_of(series, at).with_capture(at, {})
        self.visits[visit.visit_id] = visit
        return visit.visit_id


class Kept(NamedTuple):
    path: Path
    outbox: Outbox

    def take(self, series: str, second: float) -> str:
        at = START + timedelta(seconds=second)
        visit = Visits(GAP_S, self.outbox.visits_around).visit_of(series, at).with_capture(at, {"deer": 0.5})
        self.outbox.commit([], visit=visit)
        return visit.visit_id


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path / "outbox.sqlite", Outbox(tmp_path / "outbox.sqlite"))
    yield one
    one.outbox.close()


def test_captures_within_the_gap_share_a_visit(kept: Kept) -> None:
    first = kept.take("yard", 0)
    assert [kept.take("yard", second) for second in (59, 118)] == [first, first]
    assert kept.take("yard", 179) != first


def test_two_visits_uploaded_by_turns_are_two_visits(kept: Kept) -> None:
    ids = [(kept.take("yard", second), kept.take("yard", 7200 + second)) for second in (0, 1, 2)]
    assert len(set(ids)) == 1
    assert ids[0][0] != ids[0][1]


def test_a_straggler_joins_its_visit_after_a_restart_and_one_long_after_is_a_visit_of_its_own(kept: Kept) -> None:
    first, second = kept.take("yard", 0), kept.take("yard", 7200)
    kept.outbox.close()
    again = Kept(kept.path, Outbox(kept.path))
    assert again.take("yard", 3) == first
    assert again.take("yard", -60) == first, "taken before the others"
    assert again.take("yard", 7260) == second
    assert again.take("yard", 3600) not in (first, second)
    again.outbox.close()


def test_sensors_share_no_visit(kept: Kept) -> None:
    assert kept.take("yard", 0) != kept.take("gate", 0)


def test_a_visit_lasts_until_the_end_of_its_last_recording(kept: Kept) -> None:
    visits = Visits(GAP_S, kept.outbox.visits_around)
    visit = visits.visit_of("ear", START).with_capture(START, {}, duration_s=300)
    kept.outbox.commit([], visit=visit)
    assert kept.take("ear", 360) == visit.visit_id


@given(
    seconds=st.lists(st.integers(0, 2000).map(lambda second: second * 7), min_size=1, max_size=40), seed=st.integers()
)
def test_in_any_order_of_arrival_captures_on_two_sides_of_a_pause_share_no_visit(seconds: list[int], seed: int) -> None:
    arrival = list(enumerate(seconds))
    random.Random(seed).shuffle(arrival)
    stored = Stored()
    ids = {number: stored.take("yard", second) for number, second in arrival}
    ordered = sorted(range(len(seconds)), key=lambda number: seconds[number])
    for earlier, later in itertools.pairwise(ordered):
        if seconds[later] - seconds[earlier] > GAP_S:
            before = {ids[number] for number in ordered[: ordered.index(later)]}
            assert not before & {ids[number] for number in ordered[ordered.index(later) :]}
    spans = sorted((one.start, one.end) for one in stored.visits.values())
    assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))


def test_the_oldest_visits_are_forgotten(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_table, "MOST_VISITS", 10)
    ids = [kept.take("yard", 1000 * number) for number in range(30)]
    assert kept.take("yard", 29_001) == ids[29]
    assert kept.take("yard", 1) != ids[0]
    assert kept.outbox._connection.execute("SELECT count(*) FROM visit").fetchone()[0] <= 10


def seen(label: str, confidence: float) -> Detection:
    return Detection(ordinal=0, label=label, observation_type="animal", confidence=confidence, model="m")


def test_a_capture_improves_its_visit_by_a_new_label_or_a_better_score_of_any_label() -> None:
    visit = Visit("v", "yard", START, START, {})
    assert visit.improved_by(scores_of([seen("deer", 0.8)]))
    visit = visit.with_capture(START, scores_of([seen("deer", 0.8)]))
    assert not visit.improved_by(scores_of([seen("deer", 0.8)]))
    assert not visit.improved_by(scores_of([seen("deer", 0.9)], sharpness=0.5)), "blurred"
    assert visit.improved_by(scores_of([seen("deer", 0.7), seen("dog", 0.2)])), "a new class is never left out"
    assert visit.improved_by(scores_of([seen("deer", 0.7), seen("deer", 0.9)]))
    assert not visit.improved_by({}), "blank"
