"""Runs tasks one after the other in the process of the caller."""

from collections.abc import Callable, Generator, Iterable

from pipelines.executor.port import Failed, Progress, Result, Succeeded, Task, never, unreported


class InProcess:
    """Starts no process: the function may use every core, and a task that kills its process ends the run.

    See ``Executor`` for the contract; ``cancelled`` is asked between tasks.
    """

    def run(
        self,
        open_function: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        in_order: bool = True,
        cancelled: Callable[[], bool] = never,
        report: Callable[[Progress], None] = unreported,
    ) -> Generator[Succeeded[Task, Result] | Failed[Task], None, None]:
        """See ``Executor.run``."""
        function = open_function()
        succeeded = failed = 0
        if cancelled():
            return
        for task in tasks:
            outcome: Succeeded[Task, Result] | Failed[Task]
            try:
                outcome = Succeeded(task, function(task))
                succeeded += 1
            except Exception as error:  # noqa: BLE001, the caller decides what an exception means
                outcome = Failed(task, error)
                failed += 1
            report(Progress(succeeded + failed, succeeded, failed))
            yield outcome
            if cancelled():
                return
