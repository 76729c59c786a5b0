"""What every detection store does, run against each of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import Detection, Effort, Event, Health, Status, encode, new_event_id
from contract.examples import BLANK_EVENT, DEPLOYMENT, EFFORT, EVENT, HEALTH, SOUND_EVENT, STATUS
from ingest.store.counts import CountQuery, OffsetPeriod, TaxonCount
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import EventQuery, Received, Storable, Store, WriteResult
from tests.influx_server import Influx

NOON = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE_DAY = CountQuery.in_utc(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


@pytest.fixture(params=["duckdb", "influxdb", "influxdb-v1-path"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the store under test."""
    if request.param == "duckdb":
        yield lambda: DuckDbStore(tmp_path / "detections.duckdb")
        return
    influx: Influx = request.getfixturevalue("influx")
    options = InfluxOptions(url=influx.url, database=influx.new_database())
    if request.param == "influxdb-v1-path":
        options = msgspec.structs.replace(options, url=influx.direct_url, write_path="v1")
    yield lambda: InfluxDbStore(options)
    influx.drop(options.database)


@pytest.fixture
def reopen(opener: Callable[[], Store]) -> Iterator[Callable[[], Store]]:
    """Opens the store under test; a second call closes it and opens it again."""
    opened: list[Store] = []

    def again() -> Store:
        while opened:
            opened.pop().close()
        opened.append(opener())
        return opened[0]

    yield again
    while opened:
        opened.pop().close()


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()


def received(*records: Storable) -> list[Received]:
    """Records as they arrive: at noon, and those of the afternoon when they are made."""
    arrived = []
    for record in records:
        match record:
            case Event(captured_at=made) | Effort(end=made):
                pass
            case _:
                made = record.at
        arrived.append(Received(record, encode(record), made if NOON < made < datetime.now(UTC) + DAY else NOON))
    return arrived


def sighting(*taxa: str, at: datetime = NOON, station: str = "lake-07", confidence: float = 0.9) -> Event:
    detections = tuple(
        Detection(ordinal=number, label=taxon, observation_type="animal", confidence=confidence, model="wildpost-nano")
        for number, taxon in enumerate(taxa)
    )
    return msgspec.structs.replace(
        EVENT, event_id=new_event_id(), captured_at=at, detections=detections, station=station
    )


def verdict(event: Event, outcome: str, label: str, ordinal: int = 0, minute: int = 0) -> Verdict:
    kind = "blank" if outcome == "dismissed" else "animal"
    at = NOON + timedelta(minutes=minute)
    return Verdict(event.event_id, ordinal, outcome, kind, label, None, "ranger", at)  # type: ignore[arg-type]


def found(store: Store, query: CountQuery = WHOLE_DAY) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in store.count(query):
        counted[row.taxon] = counted.get(row.taxon, 0) + row.detections
    return counted


def test_what_was_written_is_listed_as_it_was_sent(store: Store) -> None:
    assert store.write(received(EVENT, SOUND_EVENT, BLANK_EVENT)) == WriteResult(new=3, repeated=0)
    assert store.events(EventQuery()) == [BLANK_EVENT, SOUND_EVENT, EVENT]


def test_it_survives_closing_and_opening(reopen: Callable[[], Store]) -> None:
    reopen().write(received(EVENT, HEALTH, EFFORT, STATUS))
    again = reopen()
    assert again.events(EventQuery()) == [EVENT]
    assert again.write(received(EVENT, HEALTH, EFFORT)) == WriteResult(new=0, repeated=3)


def test_an_event_delivered_twice_counts_once(store: Store) -> None:
    event = sighting("Capreolus pygargus", "Capreolus pygargus")
    assert store.write(received(event)) == WriteResult(new=1, repeated=0)
    assert store.write(received(event, event)) == WriteResult(new=0, repeated=2)
    assert found(store) == {"Capreolus pygargus": 2}


def test_an_event_twice_in_one_batch_counts_once(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    assert store.write(received(event, event, sighting("Cervus nippon"))) == WriteResult(new=2, repeated=1)
    assert found(store) == {"Capreolus pygargus": 1, "Cervus nippon": 1}


def test_a_second_event_with_a_known_id_is_a_conflict_and_the_first_one_stays(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.write(received(event))
    (conflict,) = store.write(received(msgspec.structs.replace(event, sequence=999))).conflicts
    assert conflict.received.record.sequence == 999  # type: ignore[union-attr]
    assert store.events(EventQuery()) == [event]


def test_an_empty_batch_is_no_trouble(store: Store) -> None:
    assert store.write([]) == WriteResult(new=0, repeated=0)
    store.apply_verdicts([])
    assert store.events(EventQuery()) == []
    assert store.count(WHOLE_DAY) == []
    assert store.stations() == []


def test_two_animals_in_one_picture_stay_two(store: Store) -> None:
    store.write(received(sighting("Capreolus pygargus", "Capreolus pygargus")))
    at_noon = tuple(2 * (hour == 12) for hour in range(24))
    assert store.count(WHOLE_DAY) == [TaxonCount("Capreolus pygargus", "animal", (2,), at_noon, detections=2, events=1)]


def test_the_scientific_name_is_the_taxon_where_there_is_one(store: Store) -> None:
    store.write(received(SOUND_EVENT))
    assert found(store, CountQuery.in_utc(NOON - timedelta(days=1), NOON)) == {"Botaurus stellaris": 1}


def by_day_and_hour(store: Store, query: CountQuery) -> tuple[list[int], dict[int, int]]:
    """Count the one kind that is there: the days as they are, and the hours in which it was found."""
    (one,) = store.count(query)
    return list(one.by_day), {hour: count for hour, count in enumerate(one.by_hour) if count}


def test_counts_are_sorted_by_taxon_and_type_with_all_days_and_hours(store: Store) -> None:
    person = Detection(
        ordinal=0, label="Capreolus pygargus", observation_type="human", confidence=0.9, model="wildpost-nano"
    )
    odd = msgspec.structs.replace(sighting(), detections=(person,))
    store.write(
        received(
            sighting("Cervus nippon", at=NOON + timedelta(days=1)),
            odd,
            sighting("Capreolus pygargus"),
            sighting("Capreolus pygargus"),
        )
    )
    rows = store.count(CountQuery.in_utc(NOON - timedelta(days=1), NOON + timedelta(days=2)))
    assert [(row.taxon, row.observation_type, row.by_day) for row in rows] == [
        ("Capreolus pygargus", "animal", (0, 2, 0, 0)),
        ("Capreolus pygargus", "human", (0, 1, 0, 0)),
        ("Cervus nippon", "animal", (0, 0, 1, 0)),
    ]
    assert all(len(row.by_hour) == 24 and sum(row.by_hour) == row.detections for row in rows)


def test_an_hour_begins_with_its_first_moment_and_a_day_with_its_first_hour(store: Store) -> None:
    hour = timedelta(hours=1)
    near = [NOON - timedelta(microseconds=1), NOON, NOON + 12 * hour - timedelta(microseconds=1), NOON + 12 * hour]
    store.write(received(*(sighting("Capreolus pygargus", at=at) for at in near)))
    query = CountQuery.in_utc(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert by_day_and_hour(store, query) == ([0, 3, 1], {11: 1, 12: 1, 23: 1, 0: 1})


def test_a_capture_before_1970_falls_on_its_day_and_into_its_hour(store: Store) -> None:
    at = datetime(1969, 12, 31, 23, 50, tzinfo=UTC)
    store.write(received(sighting("Capreolus pygargus", at=at)))
    query = CountQuery.in_utc(at - timedelta(days=1), at + timedelta(days=1))
    assert by_day_and_hour(store, query) == ([0, 1, 0], {23: 1})


@pytest.mark.parametrize(
    ("offset", "day", "hour"),
    [
        (timedelta(0), 12, 18),
        (timedelta(hours=8), 13, 2),
        (timedelta(hours=-10), 12, 8),
        (timedelta(hours=5, minutes=45), 13, 0),
        (timedelta(hours=5, minutes=30), 12, 23),
        (timedelta(hours=-3, minutes=-30), 12, 14),
        (timedelta(hours=8, minutes=5, seconds=43), 13, 2),
    ],
)
def test_days_and_hours_are_those_of_the_clocks_of_the_place(
    store: Store, offset: timedelta, day: int, hour: int
) -> None:
    store.write(received(sighting("Capreolus pygargus", at=datetime(2026, 4, 12, 18, 20, tzinfo=UTC))))
    start = datetime(2026, 4, 11, tzinfo=UTC) - offset
    query = CountQuery(date(2026, 4, 11), date(2026, 4, 14), (OffsetPeriod(start, start + timedelta(days=4), offset),))
    assert by_day_and_hour(store, query) == ([int(day == 11 + number) for number in range(4)], {hour: 1})


def test_clocks_may_change_within_the_time_counted(store: Store) -> None:
    summer, winter = timedelta(hours=2), timedelta(hours=1)
    start, change, end = (datetime(2026, 10, day, hour, tzinfo=UTC) for day, hour in ((24, 22), (25, 1), (25, 23)))
    at = [start, change - timedelta(seconds=1), change, change + timedelta(hours=1), end - timedelta(seconds=1)]
    store.write(
        received(*(sighting("Capreolus pygargus", at=one) for one in at), sighting("Capreolus pygargus", at=end))
    )
    day = date(2026, 10, 25)
    query = CountQuery(day, day, (OffsetPeriod(start, change, summer), OffsetPeriod(change, end, winter)))
    assert by_day_and_hour(store, query) == ([5], {0: 1, 2: 2, 3: 1, 23: 1})


def test_periods_that_do_not_adjoin_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the end of the one before, 2026-04-12"):
        replace(
            WHOLE_DAY,
            periods=(OffsetPeriod(NOON - timedelta(days=1), NOON), OffsetPeriod(NOON + timedelta(hours=1), NOON)),
        )


def test_a_capture_with_two_of_a_kind_is_one_capture_whoever_said_so(store: Store) -> None:
    machine, person, both = (
        sighting("Capreolus pygargus", "Capreolus pygargus", "Cervus nippon"),
        sighting("Capreolus pygargus", "Cervus nippon"),
        sighting("Capreolus pygargus", "Ursus thibetanus"),
    )
    store.write(received(machine, person, both))
    store.apply_verdicts(
        [
            verdict(person, "corrected", "Capreolus pygargus", ordinal=1),
            verdict(both, "confirmed", "Capreolus pygargus"),
        ]
    )
    counted = {row.taxon: (row.detections, row.events) for row in store.count(WHOLE_DAY)}
    assert counted == {"Capreolus pygargus": (5, 3), "Cervus nippon": (1, 1), "Ursus thibetanus": (1, 1)}
    store.apply_verdicts(
        [verdict(machine, "dismissed", "Capreolus pygargus"), verdict(person, "dismissed", "Capreolus pygargus")]
    )
    counted = {row.taxon: (row.detections, row.events) for row in store.count(WHOLE_DAY)}
    assert counted == {"Capreolus pygargus": (3, 3), "Cervus nippon": (1, 1), "Ursus thibetanus": (1, 1)}


def test_a_capture_counts_by_its_surest_detection_of_a_kind(store: Store) -> None:
    event = sighting("Capreolus pygargus", "Capreolus pygargus", "Capreolus pygargus")
    unsure = [msgspec.structs.replace(one, confidence=0.2 + 0.3 * one.ordinal) for one in event.detections]
    store.write(received(msgspec.structs.replace(event, detections=tuple(unsure))))
    for sure, expected in ((0.0, (3, 1)), (0.45, (2, 1)), (0.8, (1, 1))):
        (row,) = store.count(replace(WHOLE_DAY, min_confidence=sure))
        assert (row.detections, row.events) == expected
    assert store.count(replace(WHOLE_DAY, min_confidence=0.9)) == []


def test_a_count_includes_its_start_and_not_its_end(store: Store) -> None:
    store.write(
        received(sighting("Capreolus pygargus", at=NOON), sighting("Cervus nippon", at=NOON + timedelta(hours=1)))
    )
    assert found(store, CountQuery.in_utc(NOON, NOON + timedelta(hours=1))) == {"Capreolus pygargus": 1}


def test_a_count_can_be_of_some_stations_and_taxa(store: Store) -> None:
    store.write(
        received(sighting("Capreolus pygargus", "Cervus nippon"), sighting("Capreolus pygargus", station="ridge-01"))
    )
    assert found(store, replace(WHOLE_DAY, stations=("ridge-01",))) == {"Capreolus pygargus": 1}
    assert found(store, replace(WHOLE_DAY, taxa=("Cervus nippon",))) == {"Cervus nippon": 1}


def test_blanks_are_kept_but_not_counted(store: Store) -> None:
    store.write(received(BLANK_EVENT))
    assert store.events(EventQuery()) == [BLANK_EVENT]
    assert store.count(CountQuery.in_utc(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))) == []


def test_an_unsure_detection_is_left_out_unless_a_person_confirmed_it(store: Store) -> None:
    unsure = sighting("Capreolus pygargus", confidence=0.2)
    store.write(received(unsure))
    query = replace(WHOLE_DAY, min_confidence=0.5)
    assert found(store, query) == {}
    store.apply_verdicts([verdict(unsure, "confirmed", "Capreolus pygargus")])
    assert found(store, query) == {"Capreolus pygargus": 1}


def test_a_correction_counts_in_place_of_the_machine(store: Store) -> None:
    event = sighting("Capreolus pygargus", "Capreolus pygargus")
    store.write(received(event))
    store.apply_verdicts([verdict(event, "corrected", "Arctonyx collaris", ordinal=1)])
    assert found(store) == {"Capreolus pygargus": 1, "Arctonyx collaris": 1}
    assert store.events(EventQuery()) == [event]  # the machine's label is kept beside it


def test_a_dismissed_detection_does_not_count(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.write(received(event))
    store.apply_verdicts([verdict(event, "dismissed", "Capreolus pygargus")])
    assert found(store) == {}


def test_the_latest_verdict_wins_in_whatever_order_they_come(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.write(received(event))
    last = verdict(event, "corrected", "Arctonyx collaris", minute=2)
    store.apply_verdicts([last, verdict(event, "dismissed", "Capreolus pygargus", minute=1)])
    assert found(store) == {"Arctonyx collaris": 1}
    store.apply_verdicts([last])
    assert found(store) == {"Arctonyx collaris": 1}


def test_a_blank_can_be_corrected(store: Store) -> None:
    event = sighting()
    store.write(received(event))
    store.apply_verdicts([verdict(event, "corrected", "Capreolus pygargus")])
    assert found(store) == {"Capreolus pygargus": 1}


def test_a_verdict_may_come_before_its_event(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.apply_verdicts([verdict(event, "corrected", "Arctonyx collaris")])
    store.apply_verdicts([verdict(event, "corrected", "Ursus thibetanus", minute=1)])
    store.write(received(sighting("Cervus nippon"), event))
    assert found(store) == {"Ursus thibetanus": 1, "Cervus nippon": 1}
    store.apply_verdicts([verdict(event, "dismissed", "Ursus thibetanus", minute=2)])
    assert store.write(received(event)) == WriteResult(new=0, repeated=1)
    assert found(store) == {"Cervus nippon": 1}


def test_events_are_paged_newest_first_without_loss_even_where_times_are_equal(store: Store) -> None:
    events = [sighting("Capreolus pygargus", at=NOON + timedelta(minutes=number // 3)) for number in range(10)]
    store.write(received(*events))
    pages: list[Event] = []
    after = None
    while page := store.events(EventQuery(limit=4, after=after)):
        pages += page
        after = (page[-1].captured_at, page[-1].event_id)
    assert pages == sorted(events, key=lambda event: (event.captured_at, event.event_id), reverse=True)


def test_events_can_be_looked_for(store: Store) -> None:
    boar, deer = (
        sighting("Capreolus pygargus"),
        sighting("Cervus nippon", at=NOON + timedelta(hours=1), station="ridge-01"),
    )
    store.write(received(boar, deer))
    assert store.events(EventQuery(event_ids=(deer.event_id, new_event_id()))) == [deer]
    assert store.events(EventQuery(stations=("lake-07",))) == [boar]
    assert store.events(EventQuery(taxa=("Capreolus pygargus", "Ursus thibetanus"))) == [boar]
    assert store.events(EventQuery(observation_types=("human",))) == []
    assert store.events(EventQuery(start=NOON, end=NOON + timedelta(hours=1))) == [boar]


def test_a_corrected_event_is_found_under_its_new_name(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.write(received(event))
    store.apply_verdicts([verdict(event, "corrected", "Arctonyx collaris")])
    assert store.events(EventQuery(taxa=("Arctonyx collaris",))) == [event]
    assert store.events(EventQuery(taxa=("Capreolus pygargus",))) == []


def test_a_withdrawn_verdict_leaves_what_the_machine_found(store: Store) -> None:
    event = sighting("boar")
    store.write(received(event))
    store.apply_verdicts([verdict(event, "corrected", "badger")])
    store.apply_verdicts([verdict(event, "withdrawn", "badger", minute=1)])
    assert found(store) == {"Sus scrofa": 1}
    assert store.keys(EventQuery(decided=True)) == []
    store.apply_verdicts([verdict(event, "dismissed", "boar", minute=2)])
    assert found(store) == {}


def ids(store: Store, query: EventQuery) -> list[str]:
    keys = store.keys(query)
    assert keys == [one.key for one in store.listing(query)]
    return [event_id for _, event_id in keys]


def test_decided_and_blank_events_are_found_wherever_they_stand(store: Store) -> None:
    kinds = [("boar",)] * 30 + [()] + [("deer", "deer")] * 2 + [("boar",)] * 30 + [("wolf",)]
    events = [sighting(*taxa, at=NOON - timedelta(minutes=number)) for number, taxa in enumerate(kinds)]
    blank, half, decided, dismissed = events[30], events[31], events[32], events[63]
    store.write(received(*events))
    store.apply_verdicts([verdict(half, "confirmed", "deer"), verdict(dismissed, "dismissed", "wolf")])
    store.apply_verdicts([verdict(decided, "confirmed", "deer", number) for number in (0, 1)])
    assert ids(store, EventQuery(decided=True)) == [decided.event_id, dismissed.event_id]
    assert ids(store, EventQuery(decided=True, limit=1, after=(decided.captured_at, decided.event_id))) == [
        dismissed.event_id
    ]
    assert ids(store, EventQuery(decided=False, taxa=("deer",))) == [half.event_id]
    assert ids(store, EventQuery(decided=True, taxa=("deer",))) == [decided.event_id]
    assert ids(store, EventQuery(blank=True)) == [blank.event_id, dismissed.event_id]
    assert ids(store, EventQuery(blank=True, decided=False)) == [blank.event_id]
    every = tuple(event.event_id for event in events)
    assert ids(store, EventQuery(event_ids=every, decided=True)) == [decided.event_id, dismissed.event_id]
    assert ids(store, EventQuery(event_ids=every, blank=True)) == [blank.event_id, dismissed.event_id]
    undecided = ids(store, EventQuery(decided=False, limit=99))
    assert undecided == [event.event_id for event in events if event not in (decided, dismissed)]
    assert ids(store, EventQuery(decided=False, limit=3)) == undecided[:3]


def test_an_undecided_event_behind_many_decided_ones_is_found(store: Store) -> None:
    events = [sighting("boar", at=NOON - timedelta(minutes=number)) for number in range(60)]
    store.write(received(*events))
    store.apply_verdicts([verdict(event, "confirmed", "boar") for event in events[:-1]])
    assert ids(store, EventQuery(decided=False, limit=2)) == [events[-1].event_id]
    assert ids(store, EventQuery(decided=False, limit=2, taxa=("boar",))) == [events[-1].event_id]


def test_stations_are_listed_with_the_last_that_was_heard(store: Store) -> None:
    older = msgspec.structs.replace(HEALTH, at=HEALTH.at - timedelta(hours=1), waiting_messages=99)
    store.write(
        received(STATUS, HEALTH, sighting("Capreolus pygargus"), sighting("Cervus nippon", at=NOON - timedelta(days=1)))
    )
    store.write(received(older, sighting("Capreolus pygargus", station="ridge-01")))
    lake, ridge = store.stations()
    assert (lake.station, lake.status, lake.health, lake.last_event_at, lake.events) == (
        "lake-07",
        STATUS,
        HEALTH,
        NOON,
        2,
    )
    assert (ridge.station, ridge.status, ridge.health, ridge.events) == ("ridge-01", None, None, 1)


def test_a_last_will_written_long_ago_takes_a_station_offline(store: Store) -> None:
    online = Status(station="lake-07", state="online", at=NOON)
    will = Status(station="lake-07", state="offline", at=NOON - timedelta(days=3))
    store.write(received(online))
    store.write([Received(will, encode(will), NOON + timedelta(hours=1))])
    assert [state.status for state in store.stations()] == [will]


def test_odd_but_valid_records_are_stored(store: Store) -> None:
    odd = [
        sighting("a\0b", "'; DROP TABLE event; --", "野猪", "\U0001f417", "a\nb"),
        sighting("Capreolus pygargus", at=datetime.max.replace(tzinfo=UTC)),
        sighting("Capreolus pygargus", at=datetime.min.replace(tzinfo=UTC)),
    ]
    assert store.write(received(*odd)).new == 3
    assert {event.event_id for event in store.events(EventQuery())} == {event.event_id for event in odd}
    # Nobody believes the clocks of the last two, so they count when they arrive.
    assert found(store) == {
        "a\0b": 1,
        "'; DROP TABLE event; --": 1,
        "Sus scrofa": 1,
        "\U0001f417": 1,
        "a\nb": 1,
        "Capreolus pygargus": 2,
    }


def test_fields_of_a_later_version_are_kept_in_the_payload(store: Store) -> None:
    payload = encode(EVENT)[:-1] + b',"moon_phase":0.4}'
    assert store.write([Received(EVENT, payload, NOON)]).new == 1
    assert store.events(EventQuery()) == [EVENT]


def test_many_can_read_and_write_at_once(store: Store) -> None:
    events: Sequence[Event] = [sighting("Capreolus pygargus") for _ in range(120)]
    failures: list[BaseException] = []

    def write(portion: Sequence[Event]) -> None:
        try:
            for event in portion:
                store.write(received(event))
        except BaseException as error:
            failures.append(error)
            raise

    def read() -> None:
        try:
            for _ in range(40):
                assert found(store).get("Capreolus pygargus", 0) <= len(events)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [Thread(target=write, args=(events[start::3],)) for start in range(3)] + [Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert found(store) == {"Capreolus pygargus": len(events)}


def test_health_and_effort_delivered_twice_are_kept_once(store: Store) -> None:
    health: Health = HEALTH
    assert store.write(received(health, EFFORT)) == WriteResult(new=2, repeated=0)
    assert store.write(received(health, EFFORT)) == WriteResult(new=0, repeated=2)


def test_a_deployment_delivered_twice_is_kept_once_and_survives_closing(reopen: Callable[[], Store]) -> None:
    store = reopen()
    assert store.write(received(DEPLOYMENT, DEPLOYMENT)) == WriteResult(new=1, repeated=1)
    assert store.write(received(DEPLOYMENT, EVENT)) == WriteResult(new=1, repeated=1)
    assert reopen().deployments() == [DEPLOYMENT]


def test_of_several_records_of_a_deployment_the_latest_is_listed_in_whatever_order_they_come(store: Store) -> None:
    hour = timedelta(hours=1)
    first = msgspec.structs.replace(DEPLOYMENT, at=NOON, habitat="")
    last = msgspec.structs.replace(DEPLOYMENT, at=NOON + 2 * hour, end=NOON + 2 * hour)
    between = msgspec.structs.replace(DEPLOYMENT, at=NOON + hour, comments="moved")
    assert store.write(received(first, last)).new == 2
    assert store.write(received(between, first)) == WriteResult(new=1, repeated=1)
    assert store.deployments() == [last]


def test_deployments_are_listed_by_station_and_name(store: Store) -> None:
    names = [("ridge-01", "2026"), ("lake-07", "b"), ("lake-07", "a"), ("lake-07", "2026")]
    some = [msgspec.structs.replace(DEPLOYMENT, station=station, deployment=name) for station, name in names]
    store.write(received(*some))
    assert [(one.station, one.deployment) for one in store.deployments()] == sorted(names)


def test_a_store_without_deployments_lists_none(store: Store) -> None:
    store.write(received(EVENT, HEALTH))
    assert store.deployments() == []


def test_fields_of_a_later_version_are_kept_with_a_deployment(store: Store) -> None:
    payload = encode(DEPLOYMENT)[:-1] + b',"moon_phase":0.4}'
    assert store.write([Received(DEPLOYMENT, payload, NOON)]).new == 1
    assert store.deployments() == [DEPLOYMENT]


def test_closing_twice_is_harmless(store: Store) -> None:
    store.close()
    store.close()
