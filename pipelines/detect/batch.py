"""Runs a detector on many files in several processes, in order, with bounded memory; broken files are skipped."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pipelines.detect.examination import ExaminationTask, Examined, Examiner

_AHEAD = 4  # files submitted per process: enough to keep it busy, few enough to bound memory
_ENDED = "the process that examined this file was killed or ran out of memory: try the file alone"
_examiner: Examiner | None = None  # of this process, in a pool


def files_in(places: Iterable[Path], suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield files in order: those given, and those with one of the suffixes below each folder given.

    Raises:
        FileNotFoundError: a file or folder does not exist.
    """
    for place in places:
        if place.is_dir():
            yield from _below(place, suffixes)
        elif place.exists():
            yield place
        else:
            raise FileNotFoundError(f"{place}: no such file or folder")


def examine_all(files: Iterable[Path], task: ExaminationTask, processes: int) -> Iterator[Examined]:
    """Examine files and yield the results in the order given.

    Args:
        files: The files; the iterator is read only a few files ahead.
        task: The detector and its parameters.
        processes: Number of worker processes; 1: no process is started, and the network may use every core.

    Raises:
        WeightsError, ValueError: the detector cannot be opened.
    """
    # Opened here in any case: errors are raised before the first file, and BirdNET measures its runtimes only once.
    examiner = Examiner(task)
    if processes == 1:
        yield from map(examiner.examine, files)
        return
    del examiner
    waiting = iter(files)
    while (rest := (yield from _until_broken(waiting, task, processes))) is not None:
        # A worker died and all pending results are lost: examine the files one by one to find the one that kills it.
        for path in rest:
            yield _alone(path, task)


def _until_broken(
    files: Iterator[Path], task: ExaminationTask, processes: int
) -> Generator[Examined, None, list[Path] | None]:
    """Yield results until all files are done and return None, or return the unfinished files if a worker dies."""
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
    # Spawned, not forked: a network opened in the parent process does not work after a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, _open, (task,))


def _open(task: ExaminationTask) -> None:
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    _examiner = Examiner(task)


def _examine(path: Path) -> Examined:
    assert _examiner is not None, "the pool's initializer opens it"  # noqa: S101
    return _examiner.examine(path)


def _below(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(here) / name
