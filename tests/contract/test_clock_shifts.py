"""A sensor's clock is corrected on the server: recorded by whom and why, applied to captures, and undone exactly."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.clock_shifts import ClockShift, ClockShifts, ShiftRefused
from casebook.incidents.database import Database
from casebook.verdicts import Verdict
from contract import Clock, Event, encode, new_event_id
from contract.examples import EVENT
from ingest.clock_shift_sync import ClockShiftSync
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import Batch
from ingest.rules.rule_set import Hours, Rule, RuleSet, RulesOptions
from ingest.store.counts import CountQuery
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery, Received, WriteResult
from tests.keeping import keep

RESET = datetime(2000, 1, 1, tzinfo=UTC)
RIGHT = datetime(2026, 4, 10, 21, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNSET = Clock(source="none", synchronised=False)
SHIFT = ClockShift(
    "1", EVENT.station, EVENT.sensor, RESET, RESET + 24 * HOUR, RIGHT - RESET, "batteries changed", "Li", NOW
)


def capture(at: datetime, sensor: str = EVENT.sensor, clock: Clock = UNSET) -> Event:
    return msgspec.structs.replace(EVENT, event_id=new_event_id(), captured_at=at, clock=clock, sensor=sensor)


def write(store: DuckDbStore, *events: Event) -> WriteResult:
    return store.write([Received(event, encode(event), NOW) for event in events])


def listed(store: DuckDbStore) -> list[tuple[str, datetime]]:
    return [(one.event.event_id, one.listed_at) for one in store.listing(EventQuery())]


def hours(store: DuckDbStore) -> dict[int, int]:
    days = CountQuery.in_utc(datetime(1995, 1, 1, tzinfo=UTC), NOW + 24 * HOUR)
    found = [one for one in store.count(days) if one.observation_type == "human"]
    return {hour: count for one in found for hour, count in enumerate(one.by_hour) if count}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    opened = DuckDbStore(tmp_path / "detections.duckdb")
    yield opened
    opened.close()


@pytest.fixture
def shifts(casebook_url: str) -> Iterator[ClockShifts]:
    casebook = Casebook(casebook_url)
    yield ClockShifts(Database(casebook.engine))
    casebook.close()


def test_captures_of_the_period_move_to_their_right_time_and_back(store: DuckDbStore) -> None:
    early, late = capture(RESET + HOUR), capture(RESET + 24 * HOUR)
    other, good = capture(RESET + HOUR, sensor="other"), capture(RIGHT, clock=Clock(source="exif", synchronised=False))
    write(store, early, late, other, good)
    before, hours_before = listed(store), hours(store)
    assert store.set_clock_shifts([SHIFT]) == {"1": 1}
    assert dict(listed(store)) == dict(before) | {early.event_id: RIGHT + HOUR}
    assert hours(store) == {21: 1, 22: 1}
    assert store.set_clock_shifts([SHIFT]) == {"1": 1}  # again
    assert store.set_clock_shifts([]) == {}
    assert (listed(store), hours(store)) == (before, hours_before) and hours_before == {21: 1}


@pytest.mark.parametrize(
    "clock",
    [Clock(source="system", synchronised=False), Clock(source="exif", synchronised=False, error_s=7200.0)],
    ids=["never set", "two hours of error"],
)
def test_an_hour_that_was_not_known_is_not_known_after_a_correction_is_undone(store: DuckDbStore, clock: Clock) -> None:
    write(store, capture(RESET + HOUR, clock=clock))
    assert hours(store) == {}
    store.set_clock_shifts([SHIFT])
    assert hours(store) == {22: 1}
    store.set_clock_shifts([])
    assert hours(store) == {}


def test_the_listing_has_the_corrected_time_and_the_message_as_it_was_sent(store: DuckDbStore) -> None:
    event = capture(RESET + HOUR)
    write(store, event)
    store.set_clock_shifts([SHIFT])
    (found,) = store.listing(EventQuery(event_ids=(event.event_id,)))
    assert (found.event.captured_at, found.event.clock.source) == (RIGHT + HOUR, "corrected")
    assert found.sent == event
    assert store.events(EventQuery()) == [event]
    assert store.listing(EventQuery(start=RIGHT, end=RIGHT + 2 * HOUR)) == [found]


def test_a_capture_that_arrives_later_is_corrected_and_a_redelivery_is_known(store: DuckDbStore) -> None:
    first, second = capture(RESET + HOUR), capture(RESET + 2 * HOUR)
    write(store, first)
    store.set_clock_shifts([SHIFT])
    assert write(store, first, second) == WriteResult(new=1, repeated=1)
    assert dict(listed(store)) == {first.event_id: RIGHT + HOUR, second.event_id: RIGHT + 2 * HOUR}
    assert store.set_clock_shifts([]) == {}
    assert {at for _, at in listed(store)} == {NOW}


def test_rules_see_a_later_capture_with_its_corrected_time(store: DuckDbStore, tmp_path: Path) -> None:
    night = Rule(name="night", observation_types=("human",), hours=(Hours(start="20:00", end="23:00"),))
    rules = RuleSet(RulesOptions(time_zone="UTC", rule=(night,)), ())
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    intake = Intake(store, casebook, FolderMedia(tmp_path / "media"), rules)
    store.set_clock_shifts([SHIFT])
    evening, later = capture(RESET + HOUR), capture(RESET + 5 * HOUR)  # 22:00 and 02:00
    records = [Received(event, encode(event), NOW) for event in (evening, later)]
    keep(intake, Batch(received=2, records=records))
    (flag,) = casebook.flags()
    casebook.close()
    assert (flag.event_id, flag.reason_values["local_time"]) == (evening.event_id, "2026-04-10T22:00:00+00:00")


def test_a_correction_that_changed_under_its_number_is_applied_anew(store: DuckDbStore) -> None:
    event = capture(RESET + HOUR)
    write(store, event)
    store.set_clock_shifts([SHIFT])
    store.set_clock_shifts([replace(SHIFT, shift=SHIFT.shift + HOUR)])  # of a casebook restored from a backup
    assert listed(store) == [(event.event_id, RIGHT + 2 * HOUR)]


def test_a_verdict_counts_in_the_corrected_hour(store: DuckDbStore) -> None:
    event = capture(RESET + HOUR)
    write(store, event)
    store.set_clock_shifts([SHIFT])
    person = next(one for one in event.detections if one.scientific_name == "Homo sapiens")
    store.apply_verdicts([Verdict(event.event_id, person.ordinal, "corrected", "animal", "wolf", None, "Li", NOW)])
    (counted,) = (
        one for one in store.count(CountQuery.in_utc(RIGHT - HOUR, RIGHT + 3 * HOUR)) if one.taxon == "Canis lupus"
    )
    assert (counted.by_hour[22], counted.hour_unknown) == (1, 0)


def test_a_capture_is_never_moved_to_after_its_receipt(store: DuckDbStore) -> None:
    event = capture(RESET + HOUR)
    write(store, event)
    before = listed(store)
    assert store.set_clock_shifts([replace(SHIFT, shift=NOW - RESET)]) == {"1": 0}
    assert listed(store) == before


def test_corrections_survive_closing_and_opening(store: DuckDbStore, tmp_path: Path) -> None:
    write(store, capture(RESET + HOUR))
    store.set_clock_shifts([SHIFT])
    store.close()
    reader = DuckDbStore(tmp_path / "detections.duckdb", read_only=True)
    assert [one.event.captured_at for one in reader.listing(EventQuery())] == [RIGHT + HOUR]
    reader.close()


def test_who_corrected_when_and_why_is_kept_after_an_undo(shifts: ClockShifts) -> None:
    recorded = shifts.record(replace(SHIFT, shift_id=""))
    assert recorded == replace(SHIFT, shift_id=recorded.shift_id)
    assert shifts.all() == shifts.in_force() == [recorded]
    shifts.undo(recorded.shift_id, "Wang", NOW + HOUR)
    assert shifts.in_force() == []
    assert shifts.all() == [replace(recorded, undone_by="Wang", undone_at=NOW + HOUR)]
    again = shifts.record(recorded)
    assert again.shift_id != recorded.shift_id


def test_two_corrections_of_one_sensor_never_overlap(shifts: ClockShifts) -> None:
    shifts.record(SHIFT)
    with pytest.raises(ShiftRefused, match=r"correction \d+ of lake-07 camera overlaps this period: undo it first"):
        shifts.record(replace(SHIFT, start=RESET + 23 * HOUR, end=RESET + 99 * HOUR))
    shifts.record(replace(SHIFT, start=RESET + 24 * HOUR, end=RESET + 99 * HOUR))
    shifts.record(replace(SHIFT, sensor="other"))
    assert len(shifts.in_force()) == 3


@pytest.mark.parametrize("number", ["", "99", "x", "-1", "1.5", "9" * 30, "٣"])
def test_only_a_correction_in_force_can_be_undone(number: str, shifts: ClockShifts) -> None:
    with pytest.raises(ShiftRefused, match="there is none of this number in force"):
        shifts.undo(number, "Li", NOW)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"end": RESET}, "expected a time after its start"),
        ({"shift": timedelta(0)}, "expected one other than 0"),
        ({"shift": timedelta(days=40_000)}, "of at most 36600 days"),
        ({"reason": ""}, "reason: expected"),
        ({"made_by": "x" * 501}, "made_by: expected"),
    ],
)
def test_a_correction_that_cannot_be_meant_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ShiftRefused, match=said):
        replace(SHIFT, **changed)  # type: ignore[arg-type]


def test_a_running_server_takes_over_what_another_process_recorded(store: DuckDbStore, shifts: ClockShifts) -> None:
    event = capture(RESET + HOUR)
    write(store, event)
    sync = ClockShiftSync(shifts.in_force, store)
    sync.run_once()
    recorded = shifts.record(SHIFT)
    sync.run_once()
    assert [at for _, at in listed(store)] == [RIGHT + HOUR]
    shifts.undo(recorded.shift_id, "Li", NOW)
    sync.run_once()
    assert [at for _, at in listed(store)] == [NOW]
