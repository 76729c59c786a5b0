"""Protocol that every executor implements; one contract test suite runs against every executor."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from contract.errors import WildpostError

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(WildpostError):
    """The worker process of a task died twice, for instance because it ran out of memory.

    The second attempt ran only this task.
    """


class TaskError(WildpostError):
    """Replaces an exception that cannot be pickled; the message holds the type and text of that exception."""


@dataclass(frozen=True, slots=True)
class Succeeded(Generic[Task, Result]):
    """A task and the value that the function returned for the task."""

    task: Task
    result: Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[Task]):
    """A task and the exception that the function raised for the task, or ``WorkerDied``."""

    task: Task
    error: Exception


@dataclass(frozen=True, slots=True)
class Progress:
    """Numbers of started, succeeded and failed tasks; ``started`` includes tasks that still run."""

    started: int
    succeeded: int
    failed: int


def never() -> bool:
    """Return False; the default value of ``Executor.run``'s argument ``cancelled``."""
    return False


def unreported(progress: Progress) -> None:
    """Ignore the progress of a run; the default value of ``Executor.run``'s argument ``report``."""


class Executor(Protocol):
    """Runs a function for each of many tasks; the number of tasks in memory at a time is bounded."""

    def run(
        self,
        open_function: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        in_order: bool = True,
        cancelled: Callable[[], bool] = never,
        report: Callable[[Progress], None] = unreported,
    ) -> Generator[Succeeded[Task, Result] | Failed[Task], None, None]:
        """Yield one outcome for each task; a task that fails or kills its worker does not end the run.

        No task starts before the first outcome is requested. Closing the generator also ends the run: it drops the
        tasks that have not started, and waits for the running tasks.

        Args:
            open_function: Called once in each worker, for instance to load a model; returns the function to run. If
                workers are processes, ``open_function``, the tasks and the results must be picklable. A task may run
                twice if a worker dies, so the function should have no side effects.
            tasks: The tasks; the iterable is read only a few tasks ahead.
            in_order: Yield outcomes in the order of the tasks; otherwise in the order of completion.
            cancelled: Called about five times a second. Once it returns true, no further task starts, and the run
                ends without the missing outcomes.
            report: Called before each outcome is yielded, in the thread of the caller.

        Raises:
            Exception: any exception that ``open_function`` or the iterable of tasks raises.
        """
        ...
