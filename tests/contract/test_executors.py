"""Every executor yields one outcome for each task, in bounded memory, whatever tasks do."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from pipelines.executor.in_process import InProcess
from pipelines.executor.port import Executor, Failed, Progress, Succeeded, TaskError, WorkerDied
from pipelines.executor.process_pool import ProcessPool
from tests.executor_tasks import (
    OpenCounted,
    TwoArguments,
    die_soon_after_three,
    double,
    double_slowly_at_first,
    exit_at_three,
    kill_at_three,
    open_double,
    opened,
    raise_two_arguments,
    refuse_three,
    refuse_to_open,
    return_a_function,
    sleep,
)


@pytest.fixture(params=["in_process", "process_pool"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    yield InProcess() if request.param == "in_process" else ProcessPool(2)
    assert not multiprocessing.active_children(), "no process outlives a run"


def results(executor: Executor, function: Callable[[int], object], count: int) -> list[object]:
    """Run over numbers from 0; results, and exceptions in their place."""
    outcomes = list(executor.run(partial(opened, function), range(count)))
    assert [one.task for one in outcomes] == list(range(count))
    return [one.result if isinstance(one, Succeeded) else one.error for one in outcomes]


def test_results_come_in_the_order_of_the_tasks(executor: Executor) -> None:
    assert results(executor, double_slowly_at_first, 30) == [2 * number for number in range(30)]


def test_no_tasks_have_no_outcomes(executor: Executor) -> None:
    assert results(executor, double, 0) == []


def test_none_is_a_task_like_any_other(executor: Executor) -> None:
    outcomes = list(executor.run(partial(opened, repr), [None, None]))
    assert outcomes == [Succeeded(None, "None")] * 2


def test_each_task_has_one_outcome_out_of_order(executor: Executor) -> None:
    outcomes = list(executor.run(partial(opened, double_slowly_at_first), range(30), in_order=False))
    found = {one.task: one.result for one in outcomes if isinstance(one, Succeeded)}
    assert len(outcomes) == 30
    assert found == {number: 2 * number for number in range(30)}


def test_an_exception_costs_its_own_task(executor: Executor) -> None:
    found = results(executor, refuse_three, 6)
    assert found[:3] + found[4:] == [0, 1, 2, 4, 5]
    assert isinstance(found[3], ValueError)
    assert str(found[3]) == "three"


def test_an_exception_that_cannot_be_pickled_names_itself(executor: Executor) -> None:
    for number, error in enumerate(results(executor, raise_two_arguments, 3)):
        assert isinstance(error, TwoArguments | TaskError)
        assert f"number is {number}" in str(error)


def test_the_function_is_opened_once_in_each_worker(executor: Executor, tmp_path: Path) -> None:
    outcomes = list(executor.run(OpenCounted(tmp_path), range(40)))
    assert len(outcomes) == 40
    processes = [note.name.split("-")[0] for note in tmp_path.iterdir()]
    assert 1 <= len(processes) <= 2
    assert len(set(processes)) == len(processes)


def test_what_opening_raises_ends_the_run(executor: Executor) -> None:
    with pytest.raises(FileNotFoundError, match="weights"):
        next(executor.run(refuse_to_open, range(5)))


def test_what_the_tasks_raise_ends_the_run(executor: Executor) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("the card was pulled out")

    with pytest.raises(OSError, match="pulled out"):
        list(executor.run(open_double, numbers()))


def test_tasks_are_taken_no_further_ahead_than_needed(executor: Executor) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    run = executor.run(open_double, numbers())
    assert taken == 0
    for number in range(20):
        assert next(run) == Succeeded(number, 2 * number)
        assert taken <= number + 1 + 8
    run.close()
    assert taken <= 28


def test_progress_counts_every_outcome(executor: Executor) -> None:
    reported: list[Progress] = []
    outcomes = list(executor.run(partial(opened, refuse_three), range(12), report=reported.append))
    assert len(reported) == len(outcomes) == 12
    assert [one.succeeded + one.failed for one in reported] == list(range(1, 13))
    assert reported[-1] == Progress(started=12, succeeded=11, failed=1)
    assert all(one.succeeded + one.failed <= one.started <= one.succeeded + one.failed + 8 for one in reported)


def test_a_cancelled_run_ends_early(executor: Executor) -> None:
    cancel = threading.Event()
    done = 0
    for _ in executor.run(partial(opened, sleep), range(1000), cancelled=cancel.is_set):
        done += 1
        if done == 3:
            cancel.set()
    assert done == 3


def test_a_run_cancelled_before_it_starts_has_no_outcome(executor: Executor) -> None:
    taken = iter(range(5))
    assert list(executor.run(open_double, taken, cancelled=lambda: True)) == []
    assert next(taken) == 0, "no task was taken"


def test_an_executor_can_run_again(executor: Executor) -> None:
    assert results(executor, double, 5) == results(executor, double, 5)


# What follows is about other processes, which InProcess has none of.


@pytest.fixture
def pool() -> Iterator[Executor]:
    yield ProcessPool(2)
    assert not multiprocessing.active_children()


def test_outcomes_come_as_they_are_completed(pool: Executor) -> None:
    order = [one.task for one in pool.run(partial(opened, double_slowly_at_first), range(30), in_order=False)]
    assert sorted(order) == list(range(30))
    assert order.index(0) > 5


@pytest.mark.parametrize("function", [kill_at_three, exit_at_three])
@pytest.mark.parametrize("in_order", [True, False])
def test_a_task_that_kills_its_worker_costs_itself_alone(
    pool: Executor, function: Callable[[int], int], in_order: bool
) -> None:
    outcomes = list(pool.run(partial(opened, function), range(30), in_order=in_order))
    assert sorted(one.task for one in outcomes) == list(range(30))
    assert not in_order or [one.task for one in outcomes] == list(range(30))
    (failed,) = [one for one in outcomes if isinstance(one, Failed)]
    assert failed.task == 3
    assert isinstance(failed.error, WorkerDied)
    assert all(one.result == one.task for one in outcomes if isinstance(one, Succeeded))


@pytest.mark.parametrize("in_order", [True, False])
def test_a_worker_that_is_killed_from_outside_costs_no_task(pool: Executor, in_order: bool) -> None:
    run = pool.run(partial(opened, sleep), range(40), in_order=in_order)
    outcomes = [next(run)]
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    workers[0].kill()
    outcomes += list(run)
    assert sorted(one.task for one in outcomes) == list(range(40))
    assert all(isinstance(one, Succeeded) for one in outcomes)


def test_a_worker_that_dies_after_its_task_costs_no_other_task(pool: Executor) -> None:
    assert results(pool, die_soon_after_three, 30) == list(range(30))


def test_a_result_that_cannot_be_pickled_costs_its_own_task(pool: Executor) -> None:
    found = results(pool, return_a_function, 3)
    assert all(isinstance(one, Exception) and not isinstance(one, WorkerDied) for one in found)


def test_cancelling_does_not_wait_for_an_outcome(pool: Executor) -> None:
    cancel = threading.Event()
    asked = [0]

    def cancelled() -> bool:
        asked[0] += 1
        return asked[0] > 3 or cancel.is_set()

    # The first task takes two seconds, and the run ends without its outcome.
    assert list(pool.run(partial(opened, double_slowly_at_first), range(1), cancelled=cancelled)) == []


@pytest.mark.parametrize("processes", [0, -1])
def test_a_pool_without_processes_is_refused(processes: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        ProcessPool(processes)
