"""Executor that runs tasks in several processes of this machine.

If a worker process dies, at most the task that killed it fails.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Generic

from pipelines.executor.port import (
    Failed,
    Progress,
    Result,
    Succeeded,
    Task,
    TaskError,
    WorkerDied,
    never,
    unreported,
)

_AHEAD = 4  # tasks handed out for each process: enough that none waits, few enough to hold
_POLL_S = 0.2
_DIED = "the process that worked on it was killed or ran out of memory"
_function: Callable[[Any], Any] | None = None  # of this process, in a pool
_open_error: Exception | None = None


class ProcessPool:
    """Executor that spawns worker processes for each run; the contract is in ``Executor``."""

    def __init__(self, processes: int) -> None:
        """Set the number of worker processes for each run.

        Raises:
            ValueError: there are none.
        """
        if processes < 1:
            raise ValueError(f"processes {processes}: expected 1 or more")
        self._processes = processes

    def run(
        self,
        open_function: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        in_order: bool = True,
        cancelled: Callable[[], bool] = never,
        report: Callable[[Progress], None] = unreported,
    ) -> Generator[Succeeded[Task, Result] | Failed[Task], None, None]:
        """Run the tasks in worker processes; the contract is in ``Executor.run``."""
        run: _Run[Task, Result] = _Run(self._processes, open_function, iter(tasks), in_order, cancelled)
        with contextlib.closing(run.outcomes()) as outcomes:
            for outcome in outcomes:
                report(run.progress(outcome))
                yield outcome


class _OpeningFailed(Exception):
    """Wraps an exception (``args[0]``) that a run's ``open_function`` raised in a worker process."""


class _Run(Generic[Task, Result]):
    """State of one run of the process pool: its tasks, futures and counts."""

    def __init__(
        self,
        processes: int,
        open_function: Callable[[], Callable[[Task], Result]],
        tasks: Iterator[Task],
        in_order: bool,
        cancelled: Callable[[], bool],
    ) -> None:
        self._processes = processes
        self._open_function = open_function
        self._tasks = tasks
        self._in_order = in_order
        self._cancelled = cancelled
        self._under_way: dict[Future[Result], Task] = {}  # in the order of the tasks
        self._started = self._succeeded = self._failed = 0

    def progress(self, outcome: Succeeded[Task, Result] | Failed[Task]) -> Progress:
        """Count one outcome and return the progress of the run."""
        if isinstance(outcome, Succeeded):
            self._succeeded += 1
        else:
            self._failed += 1
        return Progress(self._started, self._succeeded, self._failed)

    def outcomes(self) -> Generator[Succeeded[Task, Result] | Failed[Task], None, None]:
        """Yield outcomes until all tasks are done or the run is cancelled; a dead worker process is replaced."""
        while not self._cancelled() and (unfinished := (yield from self._until_broken())) is not None:
            yield from self._one_by_one(unfinished)

    def _until_broken(
        self,
    ) -> Generator[Succeeded[Task, Result] | Failed[Task], None, list[tuple[Task, Future[Result] | None]] | None]:
        """Yield outcomes until a worker process dies, which breaks the pool, and return the unfinished tasks.

        Returns None if all tasks are done or the run is cancelled.
        """
        pool = self._pool(self._processes)
        self._under_way.clear()
        try:
            while True:
                for task in islice(self._tasks, _AHEAD * self._processes - len(self._under_way)):
                    self._started += 1
                    try:
                        self._under_way[pool.submit(_call, task)] = task
                    except BrokenProcessPool:
                        return [*self._unfinished(), (task, None)]
                completed = self._completed()
                if not completed:
                    return None
                for future in completed:
                    outcome = self._outcome(self._under_way[future], future)
                    if outcome is None:
                        return self._unfinished()
                    del self._under_way[future]
                    yield outcome
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _completed(self) -> list[Future[Result]]:
        """Wait until at least one task is done, and return the futures of done tasks.

        If the outcomes are yielded in order, wait for the oldest task and return only its future. Returns an empty list
        if no task is running or the run is cancelled.
        """
        while self._under_way and not self._cancelled():
            awaited = list(self._under_way)[:1] if self._in_order else list(self._under_way)
            done = wait(awaited, _POLL_S, FIRST_COMPLETED).done
            if done:
                return [future for future in awaited if future in done]
        return []

    def _unfinished(self) -> list[tuple[Task, Future[Result] | None]]:
        return [(task, future) for future, task in self._under_way.items()]

    def _one_by_one(
        self, unfinished: list[tuple[Task, Future[Result] | None]]
    ) -> Generator[Succeeded[Task, Result] | Failed[Task], None, None]:
        """Run the unfinished tasks of a broken process pool one at a time, to find the task that kills its process."""
        with contextlib.ExitStack() as open_pools:
            pool: ProcessPoolExecutor | None = None
            for task, future in unfinished:
                if self._cancelled():
                    return
                outcome = self._outcome(task, future)
                while outcome is None:
                    is_new = pool is None
                    pool = pool or open_pools.enter_context(self._pool(1))
                    outcome = self._submitted(pool, task)
                    if outcome is None:
                        pool = None
                        if is_new:  # otherwise an earlier task may have damaged the process
                            outcome = Failed(task, WorkerDied(_DIED))
                yield outcome

    def _submitted(self, pool: ProcessPoolExecutor, task: Task) -> Succeeded[Task, Result] | Failed[Task] | None:
        try:
            return self._outcome(task, pool.submit(_call, task))
        except BrokenProcessPool:  # its process died while it had no task
            return None

    def _outcome(self, task: Task, future: Future[Result] | None) -> Succeeded[Task, Result] | Failed[Task] | None:
        """Wait for the outcome of a task; return None if the process pool broke before the task was done."""
        if future is None:
            return None
        try:
            return Succeeded(task, future.result())
        except (BrokenProcessPool, CancelledError):
            return None
        except _OpeningFailed as failed:
            error: Exception = failed.args[0]
            raise error from None
        except Exception as error:  # noqa: BLE001, the caller decides what an exception means
            return Failed(task, error)

    def _pool(self, processes: int) -> ProcessPoolExecutor:
        # Not forked: a network that was opened before does not survive it.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(processes, context, _open, (self._open_function,))


def _open(open_function: Callable[[], Callable[[Any], Any]]) -> None:
    global _function, _open_error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gave the work
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    try:
        _function = open_function()
    except Exception as error:  # noqa: BLE001, raised again where the run was started
        _open_error = _portable(error)


def _end_with_parent() -> None:
    """End this process when the one that gave the work has been killed; its queue of work would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(task: Any) -> Any:
    if _open_error is not None:
        raise _OpeningFailed(_open_error)
    assert _function is not None, "the pool opens it before any work"  # noqa: S101
    try:
        return _function(task)
    except Exception as error:
        portable = _portable(error)
        if portable is error:
            raise
        raise portable from None


def _portable(error: Exception) -> Exception:
    """Return the exception, or a ``TaskError`` if the exception cannot be pickled.

    An exception that cannot be pickled would break the process pool.
    """
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301, our own bytes
    except Exception:  # noqa: BLE001, pickling runs code of the exception
        return TaskError(f"{type(error).__name__}: {error}")
    return error
