"""The length of effort is measured by a clock that never jumps; its dates are right as soon as the date is known."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import Effort, Health, decode
from edge.capture.clip import Clip
from edge.clocks import SYNC_WAIT_S, Reading, read_clocks, uptime_s
from edge.effort import MOST_UNDATED, EffortLog
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from edge.time_ranges import MOST_RANGES, TimeRanges
from tests.eventually import eventually

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NEVER_SET = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_S = 3600.0


class Machine:
    """A machine whose clocks a test moves: its system clock also jumps, and it may be suspended."""

    def __init__(self, wall: datetime = NOW, up_s: float = SYNC_WAIT_S) -> None:
        self.wall, self.up_s, self.awake_s, self.synchronised = wall, up_s, up_s, False
        self.sent: list[Effort] = []
        self.log = self.start()

    def start(self, sent: TimeRanges | None = None) -> EffortLog:
        return EffortLog("ridge-07", "yard", "a", self.wall, sent or (), self.clocks)

    def clocks(self, wall: datetime) -> Reading:
        plausible = wall.year >= 2026
        known = self.synchronised or (plausible and self.up_s >= SYNC_WAIT_S)
        return Reading(wall, self.awake_s, self.up_s, plausible, known)

    def run(self, seconds: float, every_s: float = HOUR_S) -> None:
        """Let time pass in steps of at most a minute, as a source that yields None while nothing happens."""
        while seconds > 0:
            step = min(seconds, 60)
            self.pass_(step)
            self.awake_s += step
            self.sent += self.log.close_if_due(self.wall, every_s)
            seconds -= step

    def suspend(self, seconds: float) -> None:
        self.pass_(seconds)
        self.sent += self.log.close_if_due(self.wall, HOUR_S)

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.up_s += seconds

    def reboot(self, wall: datetime) -> None:
        sent = TimeRanges.from_text(self.log.sent.to_text())
        self.wall, self.up_s, self.awake_s = wall, SYNC_WAIT_S, SYNC_WAIT_S
        self.log = self.start(sent)

    def end(self) -> list[Effort]:
        self.sent += self.log.close(self.wall)
        return self.sent

    def watched_s(self) -> float:
        return sum((one.end - one.start).total_seconds() for one in self.sent if one.watching)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def overlaps(sent: list[Effort]) -> list[tuple[Effort, Effort]]:
    ordered = sorted(sent, key=lambda one: one.start)
    return [(first, second) for first, second in itertools.pairwise(ordered) if second.start < first.end]


def test_hours_of_watching_are_told_hour_by_hour_without_a_hole(machine: Machine) -> None:
    machine.run(3 * HOUR_S)
    machine.end()
    assert [(one.start, one.end) for one in machine.sent] == [
        (NOW + timedelta(hours=hour), NOW + timedelta(hours=hour + 1)) for hour in range(3)
    ]


def test_a_boot_in_1970_claims_no_years_and_is_dated_when_the_clock_is_set() -> None:
    machine = Machine(NEVER_SET, up_s=20)
    machine.run(3)
    machine.sent += machine.log.set_state(machine.wall, "broken", "no cable")
    machine.run(7200)
    assert machine.sent == [], "nothing is told while nobody knows the date"
    machine.sent += machine.log.set_state(machine.wall)
    machine.wall, machine.synchronised = NOW, True
    machine.run(57)
    machine.end()
    told = [(one.start - NOW, one.end - one.start, one.gap) for one in machine.sent]
    assert told == [
        (timedelta(seconds=-7203), timedelta(seconds=3), None),
        (timedelta(seconds=-7200), timedelta(hours=2), "broken"),
        (timedelta(0), timedelta(seconds=57), None),
    ]


def test_a_machine_that_boots_with_the_date_of_its_last_shutdown_waits_for_a_time_server() -> None:
    machine = Machine(NOW - timedelta(days=90), up_s=20)
    machine.run(30)
    machine.sent += machine.log.set_state(machine.wall, "broken", "no cable")
    assert machine.sent == []
    machine.wall, machine.synchronised = NOW, True
    machine.run(60)
    assert [(one.start, one.end) for one in machine.sent] == [(NOW - timedelta(seconds=30), NOW)]


def test_without_any_time_server_a_plausible_date_is_used_after_some_minutes_or_at_the_end() -> None:
    waiting = Machine(NOW, up_s=20)
    waiting.run(60)
    waiting.sent += waiting.log.set_state(waiting.wall, "broken", "no cable")
    assert waiting.sent == []
    waiting.run(SYNC_WAIT_S)
    assert [one.start for one in waiting.sent] == [NOW]
    ending = Machine(NOW, up_s=20)
    ending.run(60)
    assert [(one.start, one.end) for one in ending.end()] == [(NOW, NOW + timedelta(seconds=60))]


def test_a_clock_that_was_never_set_dates_nothing_and_the_log_knows_how_much(machine: Machine) -> None:
    machine = Machine(NEVER_SET, up_s=20)
    machine.run(9000)
    assert machine.end() == []
    assert machine.log.undated_s == 9000


def test_intervals_without_a_date_are_bounded() -> None:
    machine = Machine(NEVER_SET, up_s=20)
    for number in range(MOST_UNDATED + 50):
        machine.run(10)
        machine.log.set_state(machine.wall, "broken" if number % 2 else "blind", "loose cable")
    machine.wall, machine.synchronised = NOW, True
    machine.run(10)
    assert len(machine.sent) == MOST_UNDATED


@pytest.mark.parametrize("jump", [timedelta(days=3653), timedelta(days=-1500), timedelta(minutes=-30)])
def test_a_clock_that_jumps_neither_lengthens_an_interval_nor_stops_the_accounts(
    machine: Machine, jump: timedelta
) -> None:
    machine = Machine(datetime(2030, 6, 1, tzinfo=UTC))
    machine.run(1.5 * HOUR_S)
    machine.wall += jump
    machine.run(2.5 * HOUR_S)
    machine.end()
    lost_s = 1800 if jump == timedelta(minutes=-30) else 0  # what would be told twice
    assert machine.watched_s() == 4 * HOUR_S - lost_s
    assert max(one.end - one.start for one in machine.sent) <= timedelta(hours=1)
    assert not overlaps(machine.sent)
    assert machine.sent[-1].end == datetime(2030, 6, 1, 4, tzinfo=UTC) + jump


def test_after_a_jump_to_1970_the_date_that_was_known_before_holds(machine: Machine) -> None:
    machine.run(HOUR_S)
    machine.wall = NEVER_SET
    machine.run(HOUR_S)
    assert [one.end for one in machine.sent] == [NOW + timedelta(hours=hour) for hour in (1, 2)]


def test_a_corrected_rate_of_the_clock_makes_no_holes(machine: Machine) -> None:
    for _ in range(20):
        machine.wall += timedelta(milliseconds=40)
        machine.run(HOUR_S)
    assert all(one.end == following.start for one, following in itertools.pairwise(machine.sent))
    assert machine.watched_s() == 20 * HOUR_S


def test_a_suspended_machine_did_not_watch(machine: Machine) -> None:
    machine.run(600)
    machine.suspend(5 * HOUR_S)
    machine.run(600)
    machine.end()
    told = [(one.start - NOW, one.end - NOW, one.gap) for one in machine.sent]
    at = [timedelta(seconds=second) for second in (0, 600, 600 + 5 * HOUR_S, 1200 + 5 * HOUR_S)]
    assert told == [(at[0], at[1], None), (at[1], at[2], "off"), (at[2], at[3], None)]


def test_a_gap_goes_on_after_a_suspension(machine: Machine) -> None:
    machine.sent += machine.log.set_state(machine.wall, "broken", "no cable")
    machine.run(600)
    machine.suspend(HOUR_S)
    machine.run(600)
    machine.end()
    assert [(one.gap, one.note) for one in machine.sent] == [
        ("broken", "no cable"),
        ("off", "the machine was suspended"),
        ("broken", "no cable"),
    ]
    assert machine.watched_s() == 0


def test_a_restart_with_an_earlier_clock_tells_no_time_twice(machine: Machine) -> None:
    machine.run(2 * HOUR_S)
    machine.end()
    machine.reboot(NOW + timedelta(hours=1))
    machine.run(3 * HOUR_S)
    machine.end()
    assert not overlaps(machine.sent)
    assert machine.watched_s() == 4 * HOUR_S
    assert machine.sent[-1].end == NOW + timedelta(hours=4)


def test_captures_in_a_time_that_was_told_before_count_in_the_next_interval(machine: Machine) -> None:
    machine.run(HOUR_S)
    machine.wall -= timedelta(hours=1)
    machine.log.count_capture()
    machine.run(HOUR_S)
    machine.run(HOUR_S)
    assert [one.captures for one in machine.sent] == [0, 1]


Step = tuple[str, float]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.floats(1, 20_000)),
        st.tuples(st.just("jump"), st.floats(-2e8, 2e8)),
        st.tuples(st.just("jump"), st.floats(-8000, 8000)),
        st.tuples(st.just("suspend"), st.floats(2, 1e6)),
        st.tuples(st.just("reboot"), st.floats(-8000, 8000)),
        st.tuples(st.just("fail"), st.just(0.0)),
    ),
    max_size=25,
)


@given(steps=STEPS)
def test_whatever_the_clocks_do_effort_is_never_longer_than_the_station_ran_and_never_told_twice(
    steps: list[Step],
) -> None:
    machine, ran_s = Machine(), 0.0
    for what, amount in steps:
        if what == "run":
            ran_s += amount
            machine.run(amount)
        elif what == "jump":
            machine.wall += timedelta(seconds=amount)
        elif what == "suspend":
            machine.suspend(amount)
        elif what == "fail":
            machine.sent += machine.log.set_state(machine.wall, None if machine.log.gap else "broken", "cable")
        else:
            machine.end()
            machine.reboot(machine.wall + timedelta(seconds=amount))
    machine.end()
    assert machine.watched_s() <= ran_s + 1e-3
    assert not overlaps(machine.sent)


def test_this_machine_counts_seconds_whatever_its_clock_says() -> None:
    first, second = read_clocks(NOW), read_clocks(NEVER_SET)
    assert 0 <= second.awake_s - first.awake_s < 60
    assert first.plausible
    assert not second.plausible
    assert not second.known
    assert uptime_s() >= first.up_s >= first.awake_s > 0


def test_ranges_are_joined_stored_and_bounded() -> None:
    hours = [NOW + timedelta(hours=hour) for hour in range(6)]
    ranges = TimeRanges()
    ranges.add(hours[0], hours[1])
    ranges.add(hours[3], hours[4])
    ranges.add(hours[1], hours[2])
    assert sorted(ranges) == [(hours[0], hours[2]), (hours[3], hours[4])]
    assert ranges.without(hours[0], hours[5]) == [(hours[2], hours[3]), (hours[4], hours[5])]
    assert ranges.without(hours[0], hours[2]) == []
    assert list(TimeRanges.from_text(ranges.to_text())) == list(ranges)
    for day in range(2 * MOST_RANGES):
        ranges.add(NOW + timedelta(days=day + 1), NOW + timedelta(days=day + 1, hours=1))
    assert len(list(ranges)) == MOST_RANGES


class Nothing:
    """A source where nothing happens."""

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | None]:
        while not stop.is_set():
            yield None
            stop.wait(0.02)


def run_with_clock(outbox: Outbox, folder: Path, now: Callable[[], datetime], seconds: float) -> float:
    """Run a station for some seconds with a system clock of the test's; return how long it ran."""
    stop, began = threading.Event(), time.monotonic()
    options = StationOptions(name="ridge-07", deployment="a", effort_s=0.2, health_s=0.2)
    station = Station(options, "wildpost", [Sensor("yard", Nothing(), (), 60)], outbox, now)
    thread = threading.Thread(target=station.run, args=(stop, False, folder))
    thread.start()
    try:
        eventually(lambda: time.monotonic() - began > seconds, "the end of the run")
    finally:
        stop.set()
        thread.join()
    return time.monotonic() - began


def told(outbox: Outbox) -> list[Effort]:
    found = [decode(message.topic, message.payload) for message in outbox.waiting(9999)]
    return [one for one in found if isinstance(one, Effort)]


def test_a_station_whose_clock_is_set_while_it_runs_tells_what_it_watched_and_no_more(tmp_path: Path) -> None:
    outbox, began = Outbox(tmp_path / "outbox.sqlite"), time.monotonic()

    def now() -> datetime:
        passed_s = time.monotonic() - began
        return (NEVER_SET if passed_s < 0.7 else NOW) + timedelta(seconds=passed_s)

    ran_s = run_with_clock(outbox, tmp_path, now, 1.5)
    effort = told(outbox)
    assert 1.4 < sum((one.end - one.start).total_seconds() for one in effort) <= ran_s
    assert min(one.start for one in effort) >= NOW - timedelta(seconds=1)
    assert not overlaps(effort)
    outbox.close()


def test_a_station_that_starts_again_with_an_earlier_clock_tells_nothing_twice(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    ran_s = 0.0
    for _ in range(2):
        began = time.monotonic()
        ran_s += run_with_clock(outbox, tmp_path, lambda at=began: NOW + timedelta(seconds=time.monotonic() - at), 0.8)  # type: ignore[misc]
    effort = told(outbox)
    assert not overlaps(effort)
    assert sum((one.end - one.start).total_seconds() for one in effort) < 0.8 * ran_s
    outbox.close()


def test_the_reported_uptime_does_not_depend_on_the_system_clock(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    before = uptime_s()
    run_with_clock(outbox, tmp_path, lambda: NEVER_SET, 0.3)
    reports = [decode(message.topic, message.payload) for message in outbox.waiting(99)]
    uptimes = [one.uptime_s for one in reports if isinstance(one, Health)]
    assert uptimes
    assert all(before <= one <= uptime_s() for one in uptimes)
    outbox.close()
