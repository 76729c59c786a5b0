"""What only the InfluxDB store does, on a real server that is also killed."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import Detection, Event, Status, encode, new_event_id
from contract.errors import StoreUnavailable
from contract.examples import EFFORT, EVENT, HEALTH
from ingest.store.counts import CountQuery
from ingest.store.effort import EffortQuery
from ingest.store.influxdb import points as influx_points
from ingest.store.influxdb.connection import InfluxConnection, InfluxOptions, StoreRefused, Table
from ingest.store.influxdb.line_protocol import Value, json_field, line
from ingest.store.influxdb.points import clamp_ns, event_line, event_time, id_time, index_line, verdict_time
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.influxdb.timestamp_allocator import TimestampAllocator, TimestampRequest
from ingest.store.microseconds import microseconds
from ingest.store.port import EventQuery, Received, WriteResult
from tests.influx_server import Influx

NOON = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
WHOLE_DAY = CountQuery.in_utc(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


@pytest.fixture
def options(influx: Influx) -> Iterator[InfluxOptions]:
    options = InfluxOptions(url=influx.url, database=influx.new_database())
    yield options
    influx.drop(options.database)


@pytest.fixture
def store(options: InfluxOptions) -> Iterator[InfluxDbStore]:
    store = InfluxDbStore(options)
    yield store
    store.close()


def received(*events: Event) -> list[Received]:
    return [Received(event, encode(event), max(NOON, event.captured_at)) for event in events]


def sighting(*taxa: str, event_id: str = "", at: datetime = NOON) -> Event:
    found = tuple(
        Detection(ordinal=number, label=taxon, observation_type="animal", confidence=0.9, model="wildpost-nano")
        for number, taxon in enumerate(taxa)
    )
    return msgspec.structs.replace(EVENT, event_id=event_id or new_event_id(), captured_at=at, detections=found)


def corrected(event: Event, label: str, minute: int = 0, ordinal: int = 0) -> Verdict:
    at = NOON + timedelta(minutes=minute)
    return Verdict(event.event_id, ordinal, "corrected", "animal", label, None, "ranger", at)


def found(store: InfluxDbStore) -> dict[str, tuple[int, int]]:
    return {row.taxon: (row.detections, row.events) for row in store.count(WHOLE_DAY)}


def questions(store: InfluxDbStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every query of a store is added from now on."""
    asked: list[str] = []
    tables = store._link.tables

    def listened(statement: str) -> list[Table]:
        asked.append(statement)
        return tables(statement)

    monkeypatch.setattr(store._link, "tables", listened)
    return asked


def break_after(store: InfluxDbStore, requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the way to the server break after some writes, as when it or we are killed between two."""
    link, left = store._link, [requests]
    write = link.write

    def breaking(lines: Sequence[bytes]) -> None:
        for one in lines:
            if not left[0]:
                raise StoreUnavailable("the way broke")
            left[0] -= 1
            write([one])

    monkeypatch.setattr(link, "write", breaking)


def test_captures_that_ask_for_one_nanosecond_stay_as_many(store: InfluxDbStore) -> None:
    seen: dict[int, str] = {}
    while True:
        event_id = new_event_id()
        event = sighting("Capreolus pygargus", event_id=event_id)
        other = seen.setdefault(event_time(event, microseconds(event.captured_at)), event_id)
        if other != event_id:
            break
    pair = received(sighting("Capreolus pygargus", event_id=event_id), sighting("Capreolus pygargus", event_id=other))
    assert store.write(pair[:1]).new == 1
    assert store.write(pair) == WriteResult(new=1, repeated=1)
    assert store.write(pair) == WriteResult(new=0, repeated=2)
    assert found(store) == {"Capreolus pygargus": (2, 2)}
    assert {event.event_id for event in store.events(EventQuery(event_ids=(event_id, other)))} == {event_id, other}


def test_ids_that_ask_for_one_nanosecond_stay_as_many(store: InfluxDbStore) -> None:
    start = new_event_id()[:14]
    seen: dict[int, str] = {}
    while True:
        digest = hashlib.sha256(str(len(seen)).encode()).hexdigest()
        event_id = f"{start}7{digest[:3]}-{digest[3:7]}-{digest[7:19]}"
        other = seen.setdefault(id_time(event_id), event_id)
        if other != event_id:
            break
    a, b = (
        sighting("Capreolus pygargus", event_id=event_id),
        sighting("Cervus nippon", event_id=other, at=NOON + timedelta(hours=1)),
    )
    store.write(received(a))
    store.write(received(b))
    assert store.write(received(a, b)) == WriteResult(new=0, repeated=2)
    store.apply_verdicts([corrected(a, "Arctonyx collaris"), corrected(b, "Ursus thibetanus")])
    assert found(store) == {"Arctonyx collaris": (1, 1), "Ursus thibetanus": (1, 1)}


def test_a_crowd_in_one_nanosecond_finds_a_place_each_and_finds_it_again(options: InfluxOptions) -> None:
    InfluxDbStore(options).close()
    link = InfluxConnection(options, "")
    shelf = TimestampAllocator(link, "crowd", "id")
    wanted = [TimestampRequest("lake-07", 5_000_000, f"id {number}") for number in range(2500)]
    places = shelf.find(wanted)
    assert len({place.time_ns for place in places}) == len(wanted)
    pairs = list(zip(wanted, places, strict=True))
    link.write([line("crowd", {"station": "lake-07"}, {"id": one.id}, place.time_ns) for one, place in pairs])
    again = shelf.find(list(reversed(wanted)))
    assert [place.time_ns for place in reversed(again)] == [place.time_ns for place in places]
    assert all(place.exists for place in again)
    link.close()


@pytest.mark.parametrize("written", range(10))
def test_a_batch_broken_off_anywhere_is_whole_when_it_comes_again(
    options: InfluxOptions, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = received(sighting("Capreolus pygargus", "Cervus nippon"), sighting("Capreolus pygargus"))
    broken = InfluxDbStore(options)
    break_after(broken, written, monkeypatch)
    with pytest.raises(StoreUnavailable):
        broken.write(events)
    broken.close()
    store = InfluxDbStore(options)
    store.write(events)
    assert store.write(events) == WriteResult(new=0, repeated=2)
    assert found(store) == {"Capreolus pygargus": (2, 2), "Cervus nippon": (1, 1)}
    assert len(store.events(EventQuery())) == 2
    store.close()


@pytest.mark.parametrize("written", range(7))
def test_a_verdict_broken_off_anywhere_counts_once_when_it_is_given_again(
    options: InfluxOptions, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = sighting("Capreolus pygargus")
    store = InfluxDbStore(options)
    store.write(received(event))
    store.apply_verdicts([corrected(event, "Arctonyx collaris")])
    last = corrected(event, "Ursus thibetanus", minute=1)
    with monkeypatch.context() as patch:
        break_after(store, written, patch)
        with pytest.raises(StoreUnavailable):
            store.apply_verdicts([last])
    store.apply_verdicts([last])
    assert found(store) == {"Ursus thibetanus": (1, 1)}
    store.close()


def test_a_taxon_corrected_back_and_forth_is_counted_once_each_time(store: InfluxDbStore) -> None:
    event = sighting("Capreolus pygargus", "Capreolus pygargus")
    store.write(received(event))
    for minute, taxon in enumerate(
        ["Arctonyx collaris", "Capreolus pygargus", "Ursus thibetanus", "Arctonyx collaris", "Capreolus pygargus"]
    ):
        store.apply_verdicts([corrected(event, taxon, minute)])
        counted = (
            {"Capreolus pygargus": (2, 1)}
            if taxon == "Capreolus pygargus"
            else {"Capreolus pygargus": (1, 1), taxon: (1, 1)}
        )
        assert found(store) == counted


def test_verdicts_of_two_people_on_one_animal_never_take_one_place() -> None:
    event = sighting("Capreolus pygargus")
    verdicts = [corrected(event, "Ursus thibetanus", minute) for minute in range(50)]
    assert len({verdict_time(one) for one in verdicts}) == 50
    assert len({verdict_time(one) // 1_000_000 for one in verdicts}) == 1, "they are looked up together"


def test_two_people_at_once_leave_one_verdict_in_force(options: InfluxOptions) -> None:
    stores = [InfluxDbStore(options), InfluxDbStore(options)]
    event = sighting("Capreolus pygargus")
    stores[0].write(received(event))
    failures: list[BaseException] = []

    def judge(store: InfluxDbStore, offset: int) -> None:
        try:
            for number in range(15):
                store.apply_verdicts([corrected(event, f"taxon {number} {offset}", 2 * number + offset)])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [Thread(target=judge, args=(store, offset)) for offset, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert found(stores[0]) == {"taxon 14 1": (1, 1)}
    for store in stores:
        store.close()


def test_a_capture_is_led_by_its_surest_detection(store: InfluxDbStore) -> None:
    event = sighting("Capreolus pygargus", "Capreolus pygargus", "Capreolus pygargus")
    sure = [msgspec.structs.replace(one, confidence=0.2 + 0.3 * one.ordinal) for one in event.detections]
    store.write(received(msgspec.structs.replace(event, detections=tuple(sure))))
    rows = store.count(replace(WHOLE_DAY, min_confidence=0.45))
    assert [(row.detections, row.events) for row in rows] == [(2, 1)]


def test_captures_once_read_by_id_are_not_asked_for_again(
    store: InfluxDbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [sighting("Capreolus pygargus", at=NOON + timedelta(days=number)) for number in range(5)]
    store.write(received(*events[:4]))
    ids = tuple(event.event_id for event in events)
    newest_first = list(reversed(events))
    assert store.events(EventQuery(event_ids=ids)) == newest_first[1:]
    store.write(received(events[4]))
    asked = questions(store, monkeypatch)
    assert store.events(EventQuery(event_ids=ids)) == newest_first, "what was not there is looked for again"
    assert len(asked) == 2, "one question for its place, one for itself"
    monkeypatch.setattr("ingest.store.influxdb.listing._CACHED_EVENTS", 2)
    assert store.events(EventQuery(event_ids=(new_event_id(),))) == []
    assert len(store._listing._cache) == 2


def test_a_redelivery_is_compared_with_what_is_stored_without_a_query_for_each_record(
    store: InfluxDbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stations = [f"station-{number:02}" for number in range(20)]
    health = [msgspec.structs.replace(HEALTH, station=station, at=NOON) for station in stations]
    events = [msgspec.structs.replace(sighting("boar"), station=station) for station in stations]
    batch = received(*events) + [Received(one, encode(one), NOON) for one in health]
    assert store.write(batch).new == 40
    asked = questions(store, monkeypatch)
    assert store.write(batch) == WriteResult(new=0, repeated=40)
    assert len([one for one in asked if '"event_index"' in one or '"event" ' in one]) == 2
    assert len([one for one in asked if '"health"' in one]) == 1


def test_a_long_payload_is_kept_whole(store: InfluxDbStore) -> None:
    payload = encode(EVENT)[:-1] + b',"extra":"' + b"x" * 240_000 + b'"}'
    assert store.write([Received(EVENT, payload, NOON)]).new == 1
    assert store.events(EventQuery()) == [EVENT]


def test_what_was_acknowledged_survives_a_killed_server(own_influx: Callable[[bool], Influx]) -> None:
    server = own_influx(False)
    store = InfluxDbStore(InfluxOptions(url=server.url, timeout_s=20))
    events = [sighting("Capreolus pygargus") for _ in range(200)]
    for start in range(0, len(events), 20):
        assert store.write(received(*events[start : start + 20])).new == 20
        if start % 100 == 0:
            server.kill()
            with pytest.raises(StoreUnavailable):
                store.write(received(sighting("never")))
            with pytest.raises(StoreUnavailable):
                store.count(WHOLE_DAY)
            server.start()
    assert store.write(received(*events)) == WriteResult(new=0, repeated=200)
    assert found(store) == {"Capreolus pygargus": (200, 200)}
    store.close()


def test_nobody_there_is_said_with_the_address(options: InfluxOptions) -> None:
    nowhere = msgspec.structs.replace(options, url="http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match=r"InfluxDB http://127\.0\.0\.1:9, wildpost\d+: no answer"):
        InfluxDbStore(nowhere)


def test_a_missing_database_is_refused_where_it_is_not_to_be_made(options: InfluxOptions) -> None:
    with pytest.raises(StoreRefused, match="there is no such database"):
        InfluxDbStore(msgspec.structs.replace(options, create=False))


def test_a_password_is_sent_and_a_wrong_one_is_named(own_influx: Callable[[bool], Influx]) -> None:
    server = own_influx(True)
    server.ask("CREATE USER ranger WITH PASSWORD 'four boars' WITH ALL PRIVILEGES")
    options = InfluxOptions(url=server.url, username="ranger")
    with pytest.raises(StoreRefused, match=r"401.*is the token right"):
        InfluxDbStore(options, "five boars")
    store = InfluxDbStore(options, "four boars")
    assert store.write(received(EVENT)).new == 1
    assert store.events(EventQuery()) == [EVENT]
    store.close()


def test_retention_is_set_and_what_is_older_at_once_is_told(own_influx: Callable[[bool], Influx]) -> None:
    server = own_influx(False)
    store = InfluxDbStore(InfluxOptions(url=server.url, retention_days=30))
    assert b'"720h0m0s"' in server.ask('SHOW RETENTION POLICIES ON "wildpost"')
    now = datetime.now(UTC)
    old, new = sighting("Capreolus pygargus", at=now - timedelta(days=40)), sighting("Capreolus pygargus", at=now)
    assert store.problem == ""
    store.write(received(old, new))
    assert [event.event_id for event in store.events(EventQuery())] == [new.event_id]
    assert "dropped 4 points older than its retention" in store.problem
    store.close()


def test_a_field_of_another_type_is_refused_with_the_servers_words(influx: Influx, options: InfluxOptions) -> None:
    InfluxDbStore(options).close()
    link = InfluxConnection(options, "")
    link.write([b'status,station=lake-07 online="yes" %d000000001' % NOON.timestamp()])
    link.close()
    store = InfluxDbStore(options)
    status = Status(station="lake-07", state="online", at=NOON)
    with pytest.raises(StoreRefused, match="field type conflict"):
        store.write([Received(status, encode(status), NOON)])
    store.close()


def test_what_two_threads_write_at_once_stays_apart_and_what_both_write_stays_one(
    options: InfluxOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_points, "SPREAD", 3)  # so that nearly all of them ask for one of three nanoseconds
    store = InfluxDbStore(options)
    shared = [sighting("Cervus nippon") for _ in range(50)]
    own = [[sighting("Capreolus pygargus") for _ in range(150)] for _ in range(store.max_concurrent_batches)]
    with ThreadPoolExecutor(store.max_concurrent_batches) as threads:
        batches = [received(*shared[:25], *mine, *shared[25:]) for mine in own]
        written = list(threads.map(store.write, batches))
    assert all(one.new + one.repeated == 200 for one in written)
    assert found(store) == {"Capreolus pygargus": (150 * store.max_concurrent_batches,) * 2, "Cervus nippon": (50, 50)}
    assert store.write(batches[0]) == WriteResult(new=0, repeated=200)
    assert len(store.events(EventQuery(limit=1000))) == 150 * store.max_concurrent_batches + 50
    store.close()


def test_it_is_closed_only_when_what_is_under_way_is_written(
    options: InfluxOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = InfluxDbStore(options)
    on_its_way, go_on = threading.Event(), threading.Event()
    write = store._link.write

    def slowly(lines: Iterable[bytes]) -> None:
        on_its_way.set()
        assert go_on.wait(10)
        write(lines)

    monkeypatch.setattr(store._link, "write", slowly)
    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(store.write, received(sighting("Capreolus pygargus")))
        assert on_its_way.wait(10)
        closing = threads.submit(store.close)
        time.sleep(0.1)
        assert not closing.done()
        go_on.set()
        assert writing.result(10) == WriteResult(new=1, repeated=0)
        closing.result(10)
    again = InfluxDbStore(options)
    assert found(again) == {"Capreolus pygargus": (1, 1)}
    again.close()


def test_effort_points_of_earlier_versions_are_read_from_their_payloads(
    store: InfluxDbStore, options: InfluxOptions
) -> None:
    start = NOON + timedelta(microseconds=7)
    old = msgspec.structs.replace(EFFORT, effort_id=new_event_id(), start=start, end=NOON + timedelta(hours=1))
    new = msgspec.structs.replace(old, effort_id=new_event_id(), start=old.end, end=NOON + timedelta(hours=2))
    fields: dict[str, Value] = {"effort_id": old.effort_id, "watching_s": 0.0, "gap_s": 3600.0, "payload": ""}
    fields["payload"] = encode(old).decode()
    link = InfluxConnection(options, "")
    link.write(
        [
            line(
                "effort",
                {"station": old.station, "sensor": old.sensor, "gap": "blind"},
                fields,
                clamp_ns(microseconds(start)),
            )
        ]
    )
    link.close()
    assert store.write([Received(old, encode(old), NOON), Received(new, encode(new), NOON)]) == WriteResult(1, 1)
    (sensor,) = store.effort(EffortQuery(NOON - timedelta(days=1), NOON + timedelta(days=1)))
    assert [(one.start, one.end, one.state) for one in sensor.intervals] == [(start, new.end, "blind")]


def test_points_of_an_older_version_without_the_time_of_listing_are_listed_by_capture(options: InfluxOptions) -> None:
    InfluxDbStore(options).close()
    event = sighting("Capreolus pygargus")
    link, at_ns = InfluxConnection(options, ""), clamp_ns(microseconds(event.captured_at))
    newer = event_line(received(event)[0], event, at_ns, 0).replace(b"listed_us=0i,", b"")
    link.write([newer, index_line(event, at_ns, id_time(event.event_id))])
    link.write([b'health,station=lake-07 health_id="1",payload=%b %d' % (json_field(encode(HEALTH)), at_ns)])
    link.close()
    store = InfluxDbStore(options)
    assert [(one.event, one.listed_at) for one in store.listing(EventQuery())] == [(event, event.captured_at)]
    (state,) = store.stations()
    assert (state.last_event_at, state.events, state.health) == (event.captured_at, 1, HEALTH)
    assert store.write(received(event)).repeated == 1
    (conflict,) = store.write(received(msgspec.structs.replace(event, sequence=99))).conflicts
    assert conflict.stored_station == event.station
    store.close()


def test_a_database_of_an_older_version_learns_at_its_opening_what_is_decided(
    influx: Influx, options: InfluxOptions
) -> None:
    store = InfluxDbStore(options)
    decided, half, undecided = sighting("boar"), sighting("deer", "deer"), sighting("wolf")
    store.write(received(decided, half, undecided))
    store.apply_verdicts([corrected(decided, "badger"), corrected(half, "badger")])
    store.close()
    influx.ask('DROP MEASUREMENT "decision"', options.database)
    for _ in range(2):
        store = InfluxDbStore(options)
        assert store.events(EventQuery(decided=True)) == [decided]
        assert len(store.events(EventQuery(decided=False))) == 2
        store.close()
