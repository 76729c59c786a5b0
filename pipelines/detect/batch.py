"""Examines many files in one or several processes: in their order, in bounded memory, past every broken one."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from pipelines.detect.examination import ExaminationTask, Examined, Examiner
from pipelines.executor.in_process import InProcess
from pipelines.executor.port import Executor, Succeeded, WorkerDied
from pipelines.executor.process_pool import ProcessPool

_ENDED = "the process that examined it ended, killed or out of memory: try it alone"


def files_in(places: Iterable[Path], suffixes: frozenset[str]) -> Iterator[Path]:
    """List files: each that is named, and those below each folder that have one of the suffixes, in order.

    Raises:
        FileNotFoundError: a place is not there.
    """
    for place in places:
        if place.is_dir():
            yield from _below(place, suffixes)
        elif place.exists():
            yield place
        else:
            raise FileNotFoundError(f"{place}: no such file or folder")


def examine_all(files: Iterable[Path], task: ExaminationTask, processes: int) -> Iterator[Examined]:
    """Examine files, and yield what came of each in the order given.

    Args:
        files: Listed as they are needed, a few ahead.
        task: What to do.
        processes: How many; with 1, none is started, and the network may use every core.

    Raises:
        WeightsError, ValueError: the detector cannot be opened.
    """
    # Opened here in any case: what is wrong shows before anything is begun, and BirdNET's measurements are made once.
    examiner = Examiner(task)
    executor: Executor
    open_function: Callable[[], Callable[[Path], Examined]]
    if processes == 1:
        examine = examiner.examine
        executor, open_function = InProcess(), lambda: examine
    else:
        executor, open_function = ProcessPool(processes), partial(_open_examiner, task)
        del examiner
    with contextlib.closing(executor.run(open_function, files)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Succeeded):
                yield outcome.result
            elif isinstance(outcome.error, WorkerDied):
                yield Examined(outcome.task, None, problem=_ENDED)
            else:
                raise outcome.error


def _open_examiner(task: ExaminationTask) -> Callable[[Path], Examined]:
    return Examiner(task).examine


def _below(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(here) / name
