"""A flood of flagged captures costs the same for each capture, and the pages of its incident stay small."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.corroboration import CorroborationOptions, corroborate
from casebook.incidents.database import Database
from casebook.incidents.grouping import MAX_KINDS
from casebook.incidents.occurrence import IncidentOptions, Occurrence, are_near
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from contract import Detection, Event, Location, new_event_id
from contract.examples import SOUND_EVENT
from tests.contract.test_incidents import RIDGE, START, Case, seen


@pytest.fixture
def engine(casebook_url: str) -> Iterator[Engine]:
    opened = open_engine(casebook_url)
    yield opened
    opened.dispose()


@contextmanager
def counted(engine: Engine) -> Iterator[dict[str, int]]:
    """Count the statements that an engine executes."""
    total = {"statements": 0}

    def executed(connection: Any, cursor: Any, *others: Any) -> None:
        total["statements"] += 1

    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield total
    finally:
        event.remove(engine, "after_cursor_execute", executed)


def wave(number: int, size: int, station: str = "ridge-07") -> list[Occurrence]:
    """Captures of one place, 0.2 s apart."""
    return [
        seen((number * size + one) / 300, subject=f"{station}-{number}-{one}", station=station) for one in range(size)
    ]


def test_each_wave_at_one_place_takes_as_many_statements_as_the_first(engine: Engine) -> None:
    book = IncidentRepository(Database(engine), IncidentOptions(), AlertPolicy(), ["test"])
    book.record(wave(0, 100))
    spent = []
    for number in range(1, 6):
        with counted(engine) as total:
            book.record(wave(number, 100))
        spent.append(total["statements"])
    assert max(spent) <= 12
    (found,) = IncidentReader(Database(engine)).incidents(open_only=False)
    assert (found.occurrence_count, found.capture_count, found.alert_count) == (600, 600, 1)


def test_single_captures_into_a_large_incident_take_as_many_statements_as_into_a_small_one(engine: Engine) -> None:
    book = IncidentRepository(Database(engine), IncidentOptions(), AlertPolicy())
    book.record(wave(0, 50))
    spent = []
    for number in range(1, 4):
        for one in (seen(0.05, subject=f"back-{number}"), seen(9.9, subject=f"on-{number}", station="ridge-08")):
            with counted(engine) as total:
                book.record([one])
            spent.append(total["statements"])
        book.record(wave(number, 400))
    assert max(spent) <= 12


def test_a_station_that_names_another_place_with_each_capture_costs_no_more(engine: Engine) -> None:
    book = IncidentRepository(Database(engine), IncidentOptions(), AlertPolicy())

    def moving(number: int, size: int) -> list[Occurrence]:
        return [
            replace(one, location=Location(latitude=31 + count / 1e5, longitude=117.3))
            for count, one in enumerate(wave(number, size))
        ]

    book.record(moving(0, 500))
    spent = []
    for number in range(1, 4):
        with counted(engine) as total:
            book.record(moving(number, 500))
            book.record([seen(number, subject=f"honest-{number}", station="ridge-08")])
        spent.append(total["statements"])
    assert max(spent) <= 30
    assert max(spent) - min(spent) <= 2


def test_an_incident_of_thousands_is_read_in_parts_and_lists_few_kinds(engine: Engine) -> None:
    book = IncidentRepository(Database(engine), IncidentOptions(), AlertPolicy(min_severity="urgent"))
    book.record([replace(one, kind=f"word-{number}") for number, one in enumerate(wave(0, 1_500))])
    reader = IncidentReader(Database(engine))
    with counted(engine) as total:
        (found,) = reader.incidents(open_only=False)
        members = reader.members(found.id, 50)
    assert total["statements"] == 4
    assert (found.occurrence_count, len(found.kinds), len(members)) == (1_500, MAX_KINDS, 50)
    pages = members
    while len(pages) < 200:
        pages += reader.members(found.id, 50, pages[-1].key)
    assert [one.key for one in pages] == sorted({one.key for one in pages})


def shot(number: int, station: str = "ridge-07") -> Event:
    detections = (
        Detection(ordinal=0, label="gunshot", observation_type="human", confidence=0.9, model="wildpost-nano"),
    )
    return msgspec.structs.replace(
        SOUND_EVENT,
        event_id=new_event_id(),
        station=station,
        captured_at=START + timedelta(seconds=number / 10),
        detections=detections,
        models=tuple(msgspec.structs.replace(one, name="wildpost-nano") for one in SOUND_EVENT.models[:1]),
        duration_s=1.0,
        clock=msgspec.structs.replace(SOUND_EVENT.clock, error_s=0.1),
        location=RIDGE,
    )


def test_a_flood_of_shots_reads_a_bounded_number_of_them_and_another_station_still_corroborates(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def counting(shots: Any, options: Any) -> Any:
        listed = list(shots)
        compared.append(len(listed))
        return corroborate(listed, options)

    monkeypatch.setattr("casebook.incidents.shot_repository.corroborate", counting)
    shots = ShotRepository(Database(engine), CorroborationOptions())
    for number in range(20):
        shots.add([shot(50 * number + one) for one in range(50)])
    assert max(compared) == 50  # nobody else heard anything, so nothing is read
    joined = shots.add([shot(999, "ridge-08")])
    assert len(joined.heard) == 2
    for number in range(20, 25):
        shots.add([shot(50 * number + one) for one in range(50)])
    assert max(compared) <= 50 + 2 * 200


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.sampled_from(["ridge-07", "ridge-08", "ridge-09", "nowhere"]),
            st.sampled_from([0.0, 0.005, 0.0085, 0.02]),
        ),
        max_size=30,
    )
)
def test_an_occurrence_joins_the_incident_of_its_nearest_neighbour_that_it_fits(
    history: list[tuple[int, str, float]],
) -> None:
    """The rule by which incidents were formed when every occurrence was compared with every other."""
    case, kept = Case(), list[tuple[Occurrence, str]]()
    for number, (minute, station, north) in enumerate(history):
        place = None if station == "nowhere" else Location(latitude=31.0 + north, longitude=117.3)
        one = seen(minute / 2, station=station, subject=f"event-{number}", location=place)
        spans = {
            home: (min(o.at for o, h in kept if h == home), max(o.at for o, h in kept if h == home)) for _, home in kept
        }
        fitting = [
            (abs(other.at - one.at), spans[home][0], home)
            for other, home in kept
            if are_near(other, one, case.options)
            and max(spans[home][1], one.at) - min(spans[home][0], one.at) <= case.options.longest
        ]
        case.record(one)
        home = case.homes()[one.subject, one.kind]
        assert home == min(fitting)[2] if fitting else home not in spans
        kept.append((one, home))
    case.close()
