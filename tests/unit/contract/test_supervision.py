"""A supervised thread survives every exception; who asks learns of it, and the log has it once."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from contract.errors import ContentRejected, StoreUnavailable
from contract.isolation import is_temporary, isolate
from contract.supervision import SupervisedThread, Supervisor, describe_exception
from tests.eventually import eventually


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor(first_pause_s=0.01, longest_pause_s=0.02)


@pytest.fixture
def started() -> Iterator[list[SupervisedThread]]:
    found: list[SupervisedThread] = []
    yield found
    for one in found:
        one.stop()


class Work:
    """A step that fails while it is told to."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.steps = 0

    def __call__(self) -> float:
        self.steps += 1
        if self.failure:
            raise self.failure
        return 0.01


@pytest.mark.parametrize(
    "failure", [ValueError("a defect"), MemoryError(), SystemExit(1), KeyboardInterrupt()], ids=lambda one: repr(one)
)
def test_a_thread_goes_on_after_any_exception_and_says_so_until_it_works(
    supervisor: Supervisor, started: list[SupervisedThread], failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(failure)
    thread = SupervisedThread("alerts", work, supervisor)
    started.append(thread)
    with caplog.at_level(logging.ERROR, "wildpost.supervision"):
        thread.start()
        eventually(lambda: work.steps > 3)
        assert f"alerts failed and continues after a pause: {type(failure).__name__}" in supervisor.problem
        assert supervisor.restarts["alerts"] >= 3
    (logged,) = caplog.records
    assert logged.exc_info is not None and "alerts failed" in logged.getMessage()
    work.failure = None
    eventually(lambda: supervisor.problem == "")
    assert supervisor.part("alerts").down_s == 0


def test_pauses_double_to_the_longest_and_begin_anew_after_a_success() -> None:
    part = Supervisor(first_pause_s=1, longest_pause_s=5).part("one")
    assert [part.failed(ValueError()) for _ in range(5)] == [1, 2, 4, 5, 5]
    part.succeeded()
    assert part.failed(ValueError()) == 1
    assert Supervisor(1, 5).part("other", (7, 8)).failed(ValueError()) == 7


def test_a_part_that_is_down_for_long_needs_a_restart_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, now = Supervisor(), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    supervisor.part("watch").failed(ValueError("a defect"))
    now += 100
    assert (bool(supervisor.stuck(120)), supervisor.part("watch").down_s) == (False, 100)
    now += 50
    assert "watch failed" in supervisor.stuck(120)


def test_a_long_step_after_a_failure_counts_as_recovered_without_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, now = Supervisor(), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    part = supervisor.part("pages")
    part.failed(ValueError())
    part.resumed()
    assert supervisor.problem
    now += 11
    assert supervisor.problem == ""


def test_an_expected_failure_is_retried_with_pauses_that_a_wake_does_not_shorten_and_is_no_restart(
    supervisor: Supervisor, started: list[SupervisedThread]
) -> None:
    work = Work(StoreUnavailable("away"))
    thread = SupervisedThread("sync", work, supervisor, pauses_s=(3600, 3600))
    started.append(thread)
    thread.start()
    eventually(lambda: work.steps == 1)
    thread.wake()
    time.sleep(0.1)
    assert (work.steps, supervisor.problem, supervisor.restarts["sync"]) == (1, "", 0)


def test_a_thread_stops_at_once_in_a_pause_and_before_it_was_started(supervisor: Supervisor) -> None:
    SupervisedThread("never", Work(), supervisor).stop()
    work = Work(ValueError())
    thread = SupervisedThread("one", work, supervisor, pauses_s=(3600, 3600))
    thread.start()
    eventually(lambda: work.steps)
    thread.stop()
    assert not any(one.name == "one" for one in threading.enumerate())


def test_an_exception_in_a_callback_is_counted_and_goes_no_further(supervisor: Supervisor) -> None:
    part = supervisor.part("tap")
    with part.guarded():
        raise ValueError("in a callback")
    assert (part.restarts, "in a callback" in part.problem) == (1, True)


def test_the_text_of_an_exception_is_short_and_has_no_password() -> None:
    text = describe_exception(ValueError("https://user:secret@example.org/\n" + "x" * 1000))
    assert text.startswith("ValueError: https://***@example.org/ xxx")
    assert len(text) < 250
    assert describe_exception(OSError("host=db password=hunter2")) == "OSError: host=db password=***"
    assert describe_exception(MemoryError()) == "MemoryError"


def test_only_the_items_that_fail_alone_are_returned_and_each_other_is_done_once() -> None:
    done: list[int] = []

    def act(items: list[int]) -> None:
        if any(one % 10 == 7 for one in items):
            raise LookupError(str(items[0]))
        done.extend(items)

    failed = isolate(list(range(40)), act)  # type: ignore[arg-type]
    assert [(item, str(error)) for item, error in failed] == [(7, "7"), (17, "17"), (27, "27"), (37, "37")]
    assert done == [one for one in range(40) if one % 10 != 7]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), OSError(28, "full"), ConnectionResetError()])
def test_a_temporary_failure_is_nobodys_fault(error: Exception) -> None:
    def act(items: object) -> None:
        raise error

    assert is_temporary(error)
    with pytest.raises(type(error)):
        isolate([1, 2], act)


@pytest.mark.parametrize("error", [ContentRejected("a value"), OSError(36, "File name too long"), ValueError()])
def test_what_the_content_causes_is_not_temporary(error: Exception) -> None:
    assert not is_temporary(error)
