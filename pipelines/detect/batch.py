"""Examines many files in several processes: in their order, in memory that does not grow, and past every broken one."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pipelines.detect.examination import ExaminationTask, Examined, Examiner

_AHEAD = 4  # files handed out for each process: enough that none waits, few enough to hold
_ENDED = "the process that examined it ended, killed or out of memory: try it alone"
_examiner: Examiner | None = None  # of this process, in a pool


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
    if processes == 1:
        yield from map(examiner.examine, files)
        return
    del examiner
    waiting = iter(files)
    while (rest := (yield from _until_broken(waiting, task, processes))) is not None:
        # Somebody's process died, and with it every result under way: one by one, the file that kills is found.
        for path in rest:
            yield _alone(path, task)


def _until_broken(
    files: Iterator[Path], task: ExaminationTask, processes: int
) -> Generator[Examined, None, list[Path] | None]:
    """Yield results until all files are done, and return None; or return those that a dying process left undone."""
    under_way: deque[tuple[Path, Future[Examined]]] = deque()
    pool = _pool(task, processes)
    try:
        while True:
            while len(under_way) < _AHEAD * processes and (path := next(files, None)) is not None:
                try:
                    under_way.append((path, pool.submit(_examine, path)))
                except BrokenProcessPool:
                    return [*(waiting for waiting, _ in under_way), path]
            if not under_way:
                return None
            path, future = under_way[0]
            try:
                examined = future.result()
            except BrokenProcessPool:
                return [waiting for waiting, _ in under_way]
            under_way.popleft()
            yield examined
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _alone(path: Path, task: ExaminationTask) -> Examined:
    with _pool(task, 1) as pool:
        try:
            return pool.submit(_examine, path).result()
        except BrokenProcessPool:
            return Examined(path, None, problem=_ENDED)


def _pool(task: ExaminationTask, processes: int) -> ProcessPoolExecutor:
    # Not forked: a network that was opened before does not survive it.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, _open, (task,))


def _open(task: ExaminationTask) -> None:
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gave the work
    _examiner = Examiner(task)


def _examine(path: Path) -> Examined:
    assert _examiner is not None, "the pool opens it before any work"  # noqa: S101
    return _examiner.examine(path)


def _below(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(here) / name
