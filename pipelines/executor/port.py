"""What every executor offers; one contract suite runs against each of them."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from contract.errors import WildpostError

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(WildpostError):
    """The process that worked on a task was killed or ran out of memory, also when it had this task alone."""


class TaskError(WildpostError):
    """Stands for an exception that cannot be sent from one process to another; has its type and message."""


@dataclass(frozen=True, slots=True)
class Succeeded(Generic[Task, Result]):
    """A task and what the function returned for it."""

    task: Task
    result: Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[Task]):
    """A task and the exception that the function raised for it, or ``WorkerDied``."""

    task: Task
    error: Exception


@dataclass(frozen=True, slots=True)
class Progress:
    """How many tasks were taken from the iterable, and the outcomes so far; the difference is under way."""

    started: int
    succeeded: int
    failed: int


def never() -> bool:
    """Never cancel."""
    return False


def unreported(progress: Progress) -> None:
    """Report progress to nobody."""


class Executor(Protocol):
    """Runs a function over any number of tasks, of which a bounded number is in memory at a time."""

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

        Nothing starts before the first outcome is asked for. Closing the generator ends the run, too: tasks that have
        not begun are dropped, those that run are waited for.

        Args:
            open_function: Called once in each worker, for instance to load a model; returns the function to run. It,
                the tasks and the results must be picklable where workers are other processes. A task may run twice
                when a worker dies, so the function should have no effect but its result.
            tasks: Taken as they are needed, a few ahead.
            in_order: Yield outcomes in the order of the tasks; otherwise as they are completed.
            cancelled: Asked about five times a second. Once it returns true, no further task is begun and the run
                ends without the outcomes that are still missing.
            report: Called before each outcome is yielded, in the thread of the caller.

        Raises:
            Exception: whatever ``open_function`` or the iterable of tasks raises.
        """
        ...
