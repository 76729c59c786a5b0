"""Every store keeps the first of two records with one id, and no wrong clock hides a record or keeps it on top."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import pytest

from contract import Clock, Deployment, Event, Health, encode, new_event_id
from contract.examples import DEPLOYMENT, EFFORT, EVENT, HEALTH, SOUND_EVENT, STATUS
from ingest.store.counts import CountQuery
from ingest.store.port import EventQuery, Received, Storable, Store
from ingest.store.taxon_key import taxon_key
from tests.contract.test_store import NOON, found, opener, reopen, sighting, store, verdict

__all__ = ["opener", "reopen", "store"]
Kind = TypeVar("Kind", bound=Storable)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
UNSET = Clock(source="none", synchronised=False)


def arrived(record: Storable, at: datetime = NOON) -> Received:
    return Received(record, encode(record), at, "wildpost/v1/x/event")


def changed(record: Kind, **values: object) -> Kind:
    return msgspec.structs.replace(record, **values)


OTHERS: list[tuple[Storable, Storable]] = [
    (EVENT, changed(EVENT, detections=())),
    (EVENT, changed(EVENT, station="ridge-01", detections=())),
    (EVENT, changed(EVENT, captured_at=EVENT.captured_at - 3 * DAY)),
    (EVENT, changed(EVENT, captured_at=datetime(9998, 1, 1, tzinfo=UTC))),
    (EFFORT, changed(EFFORT, captures=EFFORT.captures + 1)),
    (HEALTH, changed(HEALTH, set_aside=99)),
    (DEPLOYMENT, changed(DEPLOYMENT, habitat="another")),
]


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_a_different_record_with_a_known_id_is_refused_whenever_it_comes(
    reopen: Callable[[], Store], first: Storable, second: Storable
) -> None:
    store = reopen()
    result = store.write([arrived(first), arrived(second), arrived(first)])  # in one batch
    assert (result.new, result.repeated, [one.received.record for one in result.conflicts]) == (1, 1, [second])
    assert result.conflicts[0].stored_station == first.station
    assert result.conflicts[0].stored_sha256 != result.conflicts[0].received_sha256
    for number in range(2):  # in a later batch, and after a restart
        store = store if number == 0 else reopen()
        result = store.write([arrived(second, NOON + MINUTE), arrived(first, NOON + MINUTE)])
        assert (result.new, result.repeated, len(result.conflicts)) == (0, 1, 1)
    if isinstance(first, Event):
        assert store.events(EventQuery()) == [first]
    if isinstance(first, Deployment):
        assert store.deployments() == [first]


@pytest.mark.parametrize(
    "record", [EVENT, SOUND_EVENT, EFFORT, HEALTH, DEPLOYMENT], ids=lambda record: type(record).__name__
)
def test_a_record_that_an_upgraded_station_encodes_anew_is_a_redelivery(store: Store, record: Storable) -> None:
    old = changed(record, schema="1.0")
    payload = encode(record)[:-1] + b',"added_in_1_2":"x"}'  # also as a later version would
    assert store.write([arrived(old)]).new == 1
    result = store.write([arrived(record), Received(record, payload, NOON)])
    assert (result.new, result.repeated, result.conflicts) == (0, 2, ())


def test_the_same_moment_in_another_zone_is_no_difference(store: Store) -> None:
    shifted = changed(EVENT, captured_at=EVENT.captured_at.astimezone(UTC))
    store.write([arrived(EVENT)])
    assert store.write([arrived(shifted)]).repeated == 1


def test_a_capture_of_the_future_neither_stays_on_top_nor_pushes_others_out(store: Store) -> None:
    future = [
        sighting("Capreolus pygargus", at=datetime(9998 - year, 1, 1, tzinfo=UTC)) for year in range(0, 7_900, 1_000)
    ]
    for number, event in enumerate(future):
        store.write([arrived(event, NOON + number * MINUTE)])
    later = [sighting("Capreolus pygargus", at=NOON + n * MINUTE) for n in range(10, 13)]
    store.write([arrived(event, event.captured_at) for event in later])
    assert store.events(EventQuery(limit=3)) == later[::-1]
    assert store.events(EventQuery(taxa=("Capreolus pygargus",), limit=3)) == later[::-1]
    listed = store.listing(EventQuery())
    assert [one.event for one in listed] == [*later[::-1], *future[::-1]]
    assert [one.listed_at for one in listed[3:]] == [NOON + n * MINUTE for n in range(7, -1, -1)]
    # They are found, and counted, on the day on which they came.
    assert len(store.events(EventQuery(start=NOON - DAY, end=NOON + DAY))) == 11
    assert found(store) == {"Capreolus pygargus": 11}
    (state,) = store.stations()
    assert state.last_event_at == NOON + 12 * MINUTE
    pages, cursor = list[Event](), None
    while part := store.listing(EventQuery(limit=2, after=cursor)):
        pages += [one.event for one in part]
        cursor = part[-1].key
    assert pages == [one.event for one in listed]


@pytest.mark.parametrize("year", [1970, 1980, 2020])
def test_a_capture_of_a_clock_that_was_never_set_is_listed_when_it_arrives(store: Store, year: int) -> None:
    store.write([arrived(sighting("Cervus nippon", at=NOON - 5 * MINUTE))])
    unset = changed(sighting("Capreolus pygargus", at=datetime(year, 1, 1, tzinfo=UTC)), clock=UNSET)
    store.write([arrived(unset)])
    (newest,) = store.listing(EventQuery(limit=1))
    assert (newest.event, newest.listed_at) == (unset, NOON)
    # After a crash, the redelivered message finds the same place.
    assert store.write([arrived(unset, NOON + MINUTE)]).repeated == 1
    assert found(store) == {"Cervus nippon": 1, "Capreolus pygargus": 1}


def test_a_capture_received_while_the_servers_clock_is_set_back_is_still_the_newest(
    reopen: Callable[[], Store],
) -> None:
    reopen().write([arrived(sighting("Cervus nippon"))])
    store = reopen()
    now = sighting("Capreolus pygargus", at=NOON + 30 * MINUTE)
    store.write([arrived(now, NOON - 400 * DAY)])
    assert store.events(EventQuery(limit=1)) == [now]
    old = sighting("Ursus thibetanus", at=NOON - 100 * DAY)  # and an old one stays old
    store.write([arrived(old, NOON - 400 * DAY)])
    assert store.events(EventQuery())[-1] == old


def health(hours: float, boot: str = "", uptime_s: float | None = None, **values: object) -> Health:
    at = NOON + timedelta(hours=hours)
    return msgspec.structs.replace(
        HEALTH,
        at=at,
        boot_id=boot or HEALTH.boot_id,
        uptime_s=HEALTH.uptime_s if uptime_s is None else uptime_s,
        **values,
    )


def latest(store: Store) -> Health | None:
    (state,) = store.stations()
    return state.health


def test_a_health_report_of_2099_is_replaced_by_the_next(store: Store) -> None:
    wrong = changed(HEALTH, at=datetime(2099, 1, 1, tzinfo=UTC))
    store.write([arrived(wrong)])
    assert latest(store) == wrong
    right = health(1)
    store.write([arrived(right, right.at)])
    assert latest(store) == right


def test_a_health_report_of_1970_after_a_restart_replaces_the_one_before(store: Store) -> None:
    before = health(-1)
    after = changed(health(0, new_event_id(), 60.0), at=datetime(1970, 1, 1, 0, 1, tzinfo=UTC), clock=UNSET)
    store.write([arrived(before), arrived(after)])
    assert latest(store) == after


def test_an_old_report_that_comes_late_does_not_replace_a_newer_one(store: Store) -> None:
    new, old, older_boot = health(0), health(-24), health(-24, new_event_id(), 5.0)
    store.write([arrived(new)])
    store.write([arrived(old), arrived(older_boot)])
    assert latest(store) == new
    same_boot = health(2, uptime_s=HEALTH.uptime_s - 60)  # the clock was wrong, the uptime is not
    store.write([arrived(same_boot, NOON + 3 * DAY)])
    assert latest(store) == new


def test_a_report_whose_clock_went_back_is_the_latest_once_nothing_newer_came_for_a_day(store: Store) -> None:
    store.write([arrived(health(0))])
    back = health(-400 * 24, new_event_id(), 60.0)
    store.write([arrived(back, NOON + 25 * 60 * MINUTE)])
    assert latest(store) == back


def test_a_status_that_the_broker_repeats_keeps_the_time_of_its_first_receipt(store: Store) -> None:
    for hours in (0, 48):
        store.write([arrived(STATUS, NOON + hours * 60 * MINUTE)])
    (state,) = store.stations()
    assert state.status_received_at == NOON
    store.write([arrived(changed(STATUS, at=NOON + 48 * 60 * MINUTE), NOON + 48 * 60 * MINUTE), arrived(HEALTH)])
    (state,) = store.stations()
    assert (state.status_received_at, state.health_received_at) == (NOON + 48 * 60 * MINUTE, NOON)


def test_what_is_received_after_the_servers_clock_was_set_back_is_the_latest(store: Store) -> None:
    store.write([arrived(health(0)), arrived(changed(STATUS, state="offline"))])
    back = NOON - 400 * DAY
    new = health(1, uptime_s=HEALTH.uptime_s + 3_600)
    online = changed(STATUS, state="online", at=NOON + 60 * MINUTE)
    deployment = changed(DEPLOYMENT, at=DEPLOYMENT.at + DAY, habitat="reed")
    store.write([arrived(DEPLOYMENT)])
    store.write([arrived(new, back), arrived(online, back), arrived(deployment, back)])
    (state,) = store.stations()
    assert (state.health, state.status) == (new, online)
    assert store.deployments() == [deployment]


def test_a_deployment_record_of_2099_is_replaced_by_the_next(store: Store) -> None:
    wrong = changed(DEPLOYMENT, at=datetime(2099, 1, 1, tzinfo=UTC), habitat="reed")
    store.write([arrived(wrong)])
    store.write([arrived(DEPLOYMENT, NOON + DAY)])
    assert store.deployments() == [DEPLOYMENT]


def test_of_two_verdicts_the_one_with_the_higher_sequence_counts(store: Store) -> None:
    event = sighting("Capreolus pygargus")
    store.write([arrived(event)])
    first = verdict(event, "confirmed", "Capreolus pygargus", minute=60)
    then = replace(verdict(event, "dismissed", "blank"), sequence=first.order + 1)  # the clock was set back an hour
    store.apply_verdicts([first])
    store.apply_verdicts([then])
    assert found(store) == {}
    store.apply_verdicts([first])  # applied again, as after a restore
    assert found(store) == {}


def test_of_two_different_events_written_at_once_under_one_id_one_stays_and_one_is_a_conflict(store: Store) -> None:
    for number in range(10):
        first = sighting("Capreolus pygargus", at=NOON + number * MINUTE)
        second = changed(first, station="ridge-09", captured_at=NOON - DAY, detections=())
        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(lambda one: store.write([arrived(one)]), (first, second)))
        assert sorted((one.new, len(one.conflicts)) for one in results) == [(0, 1), (1, 0)]
        (kept,) = store.events(EventQuery(event_ids=(first.event_id,)))
        assert kept == (first if results[0].new else second)
    assert found(store).get("Capreolus pygargus", 0) == len(store.events(EventQuery(stations=("lake-07",))))


@pytest.mark.parametrize(
    ("clock", "captured", "known"),
    [
        (Clock(source="exif", synchronised=False), NOON, True),
        (Clock(source="name", synchronised=False), NOON, True),
        (Clock(source="file", synchronised=False), NOON, True),
        (Clock(source="copy", synchronised=False), NOON, False),
        (UNSET, NOON - 9 * MINUTE, False),
        (Clock(source="exif", synchronised=False), NOON + DAY, False),
        (Clock(source="exif", synchronised=False), datetime(1970, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_capture_whose_hour_is_not_known_counts_on_its_day_but_in_no_hour(
    store: Store, clock: Clock, captured: datetime, known: bool
) -> None:
    event = changed(sighting("boar", "deer", at=captured), clock=clock)
    store.write([arrived(event)])
    whole_day = CountQuery.in_utc(NOON - DAY / 2, NOON + DAY / 2)

    def counted() -> dict[str, tuple[int, int, int, int]]:
        rows = store.count(whole_day)
        return {one.taxon: (one.detections, one.events, sum(one.by_hour), one.hour_unknown) for one in rows}

    one = (1, 1, 1, 0) if known else (1, 1, 0, 1)
    assert counted() == {taxon_key("boar", None): one, taxon_key("deer", None): one}
    store.apply_verdicts([verdict(event, "corrected", "wolf"), verdict(event, "dismissed", "blank", ordinal=1)])
    assert counted() == {taxon_key("wolf", None): one}
    by_station = replace(whole_day, stations=(event.station,))
    assert [(row.taxon, row.hour_unknown) for row in store.count(by_station)] == [(taxon_key("wolf", None), one[3])]
