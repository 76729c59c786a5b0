"""Every store tells when sensors watched: clipped to the period, overlaps counted once, nothing known left out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from contract import Effort, encode
from contract.messages import Gap
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.effort import STATES, EffortQuery, EffortState
from ingest.store.influxdb import effort as influxdb_effort
from ingest.store.influxdb.connection import InfluxOptions
from ingest.store.influxdb.store import InfluxDbStore
from ingest.store.port import Received, Store
from tests.effort_messages import effort_of
from tests.influx_server import Influx

MIDNIGHT = datetime(2026, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE_DAY = EffortQuery(MIDNIGHT, MIDNIGHT + DAY)

Hours = list[tuple[float, float, EffortState]]


@pytest.fixture(params=["duckdb", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "duckdb":
        duckdb_store = DuckDbStore(tmp_path / "detections.duckdb")
        yield duckdb_store
        duckdb_store.close()
        return
    influx: Influx = request.getfixturevalue("influx")
    options = InfluxOptions(url=influx.url, database=influx.new_database())
    store = InfluxDbStore(options)
    yield store
    store.close()
    influx.drop(options.database)


def hour(number: float) -> datetime:
    """Tell the time so many hours after midnight."""
    return MIDNIGHT + timedelta(hours=number)


def record(
    start: datetime, end: datetime, gap: Gap | None = None, station: str = "lake-07", sensor: str = "camera"
) -> Effort:
    return effort_of(start, end, gap, station=station, sensor=sensor)


def write(store: Store, *records: Effort) -> None:
    store.write([Received(one, encode(one), MIDNIGHT) for one in records])


def read(store: Store, query: EffortQuery = WHOLE_DAY) -> dict[tuple[str, str], Hours]:
    """Read effort as hours after midnight."""
    return {
        (sensor.station, sensor.sensor): [
            ((one.start - MIDNIGHT) / timedelta(hours=1), (one.end - MIDNIGHT) / timedelta(hours=1), one.state)
            for one in sensor.intervals
        ]
        for sensor in store.effort(query)
    }


def camera(store: Store, query: EffortQuery = WHOLE_DAY) -> Hours:
    return read(store, query).get(("lake-07", "camera"), [])


def test_a_store_without_records_knows_nothing(store: Store) -> None:
    assert store.effort(WHOLE_DAY) == []


def test_states_follow_each_other_with_the_cause_of_each_gap(store: Store) -> None:
    write(store, record(hour(0), hour(5)), record(hour(5), hour(7), "blind"), record(hour(7), hour(9)))
    assert camera(store) == [(0, 5, "watching"), (5, 7, "blind"), (7, 9, "watching")]


def test_adjacent_records_of_one_state_become_one_interval(store: Store) -> None:
    write(store, *(record(hour(number), hour(number + 1)) for number in range(24)))
    assert camera(store) == [(0, 24, "watching")]


def test_times_are_exact_to_the_microsecond(store: Store) -> None:
    start, middle, end = (MIDNIGHT + timedelta(microseconds=us) for us in (1, 3_600_000_007, 7_200_000_019))
    write(store, record(start, middle), record(middle, end, "deaf"))
    ((watching, deaf),) = (sensor.intervals for sensor in store.effort(WHOLE_DAY))
    assert (watching.start, watching.end, deaf.start, deaf.end) == (start, middle, middle, end)


def test_time_between_records_is_left_out(store: Store) -> None:
    write(store, record(hour(1), hour(2)), record(hour(4), hour(5)))
    assert camera(store) == [(1, 2, "watching"), (4, 5, "watching")]


def test_records_are_clipped_to_the_period(store: Store) -> None:
    write(store, record(hour(-3), hour(2)), record(hour(20), hour(30), "off"))
    assert camera(store) == [(0, 2, "watching"), (20, 24, "off")]


def test_a_record_that_only_touches_the_period_is_left_out(store: Store) -> None:
    write(store, record(hour(-3), hour(0)), record(hour(24), hour(30)))
    assert store.effort(WHOLE_DAY) == []


def test_a_record_of_months_reaches_into_every_day_between(store: Store) -> None:
    write(store, record(hour(-24 * 100), hour(24 * 100)), record(hour(-24 * 150), hour(-24 * 100), "off"))
    assert camera(store) == [(0, 24, "watching")]
    assert camera(store, EffortQuery(hour(-24 * 101), hour(-24 * 99))) == [
        (-24 * 101, -24 * 100, "off"),
        (-24 * 100, -24 * 99, "watching"),
    ]


@pytest.mark.parametrize("days", [0.5, 1, 2.9, 2.99999, 3, 3.00001, 3.5, 366])
def test_a_record_of_any_length_reaches_into_the_period(store: Store, days: float) -> None:
    write(store, record(hour(5) - timedelta(days=days), hour(5)))
    assert camera(store) == [(0, 5, "watching")]


def test_an_interval_spans_years_of_adjacent_records(store: Store) -> None:
    write(store, *(record(MIDNIGHT + number * 300 * DAY, MIDNIGHT + (number + 1) * 300 * DAY) for number in range(3)))
    assert camera(store, EffortQuery(MIDNIGHT, MIDNIGHT + 900 * DAY)) == [(0, 900 * 24, "watching")]


def test_a_record_delivered_twice_counts_once(store: Store) -> None:
    once = record(hour(1), hour(3))
    write(store, once, once)
    write(store, once)
    assert camera(store) == [(1, 3, "watching")]


def test_the_same_time_in_two_records_counts_once(store: Store) -> None:
    write(store, record(hour(1), hour(3)), record(hour(1), hour(3)), record(hour(2), hour(5)), record(hour(1), hour(2)))
    assert camera(store) == [(1, 5, "watching")]


def test_a_short_record_within_a_long_one_does_not_shorten_it(store: Store) -> None:
    write(store, record(hour(1), hour(9)), record(hour(2), hour(3)), record(hour(4), hour(5)))
    assert camera(store) == [(1, 9, "watching")]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_gap_overrides_watching_in_whatever_order_records_arrive(store: Store, order: tuple[int, ...]) -> None:
    records = [record(hour(1), hour(9)), record(hour(3), hour(5), "blind"), record(hour(4), hour(6), "broken")]
    for number in order:
        write(store, records[number])
    assert camera(store) == [(1, 3, "watching"), (3, 4, "blind"), (4, 6, "broken"), (6, 9, "watching")]


def test_a_record_without_length_says_nothing(store: Store) -> None:
    write(store, record(hour(3), hour(3)), record(hour(4), hour(4), "off"))
    assert store.effort(WHOLE_DAY) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), MIDNIGHT + timedelta(hours=5)),
        (datetime(1969, 12, 31, tzinfo=UTC), MIDNIGHT + timedelta(hours=5)),
        (MIDNIGHT + timedelta(hours=5), datetime(2099, 1, 1, tzinfo=UTC)),
        (datetime(1960, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_record_that_spans_a_jump_of_the_clock_is_ignored(store: Store, start: datetime, end: datetime) -> None:
    write(store, record(start, end), record(hour(1), hour(2)))
    assert camera(store) == [(1, 2, "watching")]


@pytest.mark.parametrize("year", [1965, 2099])
def test_records_of_a_wrong_year_stand_in_that_year(store: Store, year: int) -> None:
    begin = datetime(year, 6, 1, tzinfo=UTC)
    write(store, record(begin, begin + DAY))
    assert store.effort(WHOLE_DAY) == []
    ((only,),) = (sensor.intervals for sensor in store.effort(EffortQuery(begin - DAY, begin + DAY)))
    assert (only.start, only.end) == (begin, begin + DAY)


def test_a_period_of_all_times_can_be_asked_for(store: Store) -> None:
    write(store, record(hour(1), hour(2)))
    everything = EffortQuery(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
    assert camera(store, everything) == [(1, 2, "watching")]


def test_years_without_records_hide_nothing(store: Store) -> None:
    years = [datetime(year, 3, 1, tzinfo=UTC) for year in (2009, 2010, 2019, 2026)]
    write(store, *(record(start, start + DAY) for start in years))
    found = camera(store, EffortQuery(datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)))
    assert [start for start, _, _ in found] == [(start - MIDNIGHT) / timedelta(hours=1) for start in years]


def test_an_empty_period_holds_nothing(store: Store) -> None:
    write(store, record(hour(1), hour(2)))
    assert store.effort(EffortQuery(hour(1.5), hour(1.5))) == []


def test_stations_and_sensors_have_their_own_timelines_in_order(store: Store) -> None:
    for station in ("ridge-01", "lake-07"):
        for sensor in ("microphone", "camera"):
            write(store, record(hour(1), hour(2), station=station, sensor=sensor))
    write(store, record(hour(4), hour(5), "deaf", station="ridge-01", sensor="microphone"))
    assert list(read(store)) == [
        ("lake-07", "camera"),
        ("lake-07", "microphone"),
        ("ridge-01", "camera"),
        ("ridge-01", "microphone"),
    ]
    assert read(store)["ridge-01", "microphone"] == [(1, 2, "watching"), (4, 5, "deaf")]


def test_stations_and_sensors_can_be_chosen(store: Store) -> None:
    for station in ("ridge-01", "ridge-02", "lake-07"):
        for sensor in ("microphone", "camera"):
            write(store, record(hour(1), hour(2), station=station, sensor=sensor))
    query = EffortQuery(MIDNIGHT, MIDNIGHT + DAY, stations=("ridge-02", "lake-07", "nowhere"), sensors=("camera",))
    assert list(read(store, query)) == [("lake-07", "camera"), ("ridge-02", "camera")]
    assert store.effort(EffortQuery(MIDNIGHT, MIDNIGHT + DAY, stations=("nowhere",))) == []


@pytest.mark.parametrize(("page", "span_ns"), [(7, 3_600_000_000_000), (1, 10**18), (10**6, 10**6)])
def test_portions_of_an_answer_lose_no_record(
    store: Store, monkeypatch: pytest.MonkeyPatch, page: int, span_ns: int
) -> None:
    monkeypatch.setattr(influxdb_effort, "_PAGE", page)
    monkeypatch.setattr(influxdb_effort, "_FIRST_SPAN_NS", span_ns)
    # Every fifth record of each station is missing, and all stations begin at the same moments.
    starts = [number for number in range(24) if number % 5 != 4]
    write(store, *(record(hour(at), hour(at + 1), station=f"ridge-{one}") for one in range(5) for at in starts))
    expected = [
        (0, 4, "watching"),
        (5, 9, "watching"),
        (10, 14, "watching"),
        (15, 19, "watching"),
        (20, 24, "watching"),
    ]
    assert read(store) == {(f"ridge-{one}", "camera"): expected for one in range(5)}


def test_any_records_give_at_each_minute_the_strongest_state_that_one_of_them_has(store: Store) -> None:
    random = Random(18)
    records, minutes = [], [-1] * 24 * 60
    for _ in range(120):
        start = random.randrange(-120, len(minutes))
        end = start + random.randrange(180)
        rank = random.choice([0, 0, 0, random.randrange(len(STATES))])
        gap: Gap | None = None if STATES[rank] == "watching" else STATES[rank]  # type: ignore[assignment]
        records.append(record(hour(start / 60), hour(end / 60), gap))
        for minute in range(max(start, 0), min(end, len(minutes))):
            minutes[minute] = max(minutes[minute], rank)
    write(store, *records)
    found = [-1] * len(minutes)
    for start_h, end_h, state in camera(store):
        for minute in range(round(start_h * 60), round(end_h * 60)):
            assert found[minute] == -1, "intervals do not overlap"
            found[minute] = STATES.index(state)
    assert found == minutes


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (MIDNIGHT, MIDNIGHT - DAY, "no earlier than the start"),
        (MIDNIGHT.replace(tzinfo=None), MIDNIGHT, "time zone"),
        (MIDNIGHT, MIDNIGHT.replace(tzinfo=None), "time zone"),
    ],
)
def test_a_period_that_cannot_be_is_refused(start: datetime, end: datetime, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EffortQuery(start, end)
