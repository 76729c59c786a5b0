"""Runs a detector on many files in several processes and yields the results in the order of the files.

Memory is bounded; a broken file does not end the run.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from captures.folder_listing import describe_passed_over, walk
from pipelines.detect.examination import ExaminationTask, Examined, Examiner
from pipelines.executor.in_process import InProcess
from pipelines.executor.port import Executor, Succeeded, WorkerDied
from pipelines.executor.process_pool import ProcessPool

_ENDED = "the process that examined this file was killed or ran out of memory: try the file alone"


def files_in(places: Iterable[Path], suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield the given files, and all files in the given folders and subfolders that have one of the suffixes.

    The files are in the order of ``places``. Entries that cannot be read are yielded too: examining them gives the
    reason. Hidden and system folders are passed over, and links to files are followed.

    Raises:
        FileNotFoundError: a file or folder does not exist.
    """
    for place in places:
        if place.is_dir():
            yield from _below(place, suffixes)
        elif os.path.lexists(place):
            yield place
        else:
            raise FileNotFoundError(f"{place}: no such file or folder")


def passed_over_in(places: Iterable[Path], suffixes: frozenset[str]) -> str:
    """Return, as text, how many entries of the given folders ``files_in`` passes over, by kind; "" if none."""
    counts: Counter[str] = Counter()
    for place in places:
        with contextlib.suppress(OSError):
            for listing in walk(str(place), suffixes, follow_links=True):
                counts += listing.passed_over
    return describe_passed_over(counts)


def examine_all(files: Iterable[Path], task: ExaminationTask, processes: int) -> Iterator[Examined]:
    """Run the detector on each file, and yield one result for each file in the given order.

    Args:
        files: The files; the iterator is read only a few files ahead.
        task: The detector and its parameters.
        processes: Number of worker processes; 1: no process is started, and the network may use every core.

    Raises:
        WeightsError, ValueError: the detector cannot be opened.
    """
    # Opened here in any case: errors are raised before the first file, and BirdNET measures its runtimes only once.
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
    try:
        for listing in walk(str(folder), suffixes, follow_links=True):
            paths = [file.path for file in listing.files] + [entry.path for entry in listing.bad]
            yield from map(Path, sorted(paths))
    except OSError:  # the folder itself cannot be listed
        yield folder
