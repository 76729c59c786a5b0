"""Looks at many pictures, some at the same time: each thread carries a picture all the way, from file to boxes."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from captures.decoded import Unreadable
from contract import Detection
from models.vision.detector import VisionDetector


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What came of one picture.

    Attributes:
        path: The picture.
        detections: What is in it, most confident first; empty also where it could not be used.
        problem: Why it could not be used; None where it could.
    """

    path: Path
    detections: list[Detection]
    problem: Unreadable | OSError | None = None


def detect_in_pictures(detector: VisionDetector, paths: Iterable[Path], workers: int = 0) -> Iterator[PictureResult]:
    """Look at pictures in the order given; memory holds a few of them, however many there are.

    A picture that cannot be used is a result with its problem, and the next one follows.

    Args:
        detector: The network.
        paths: The pictures.
        workers: Threads; 0: as many as the detector can look at at once, and at least two, so that one can read while
            another looks.

    Raises:
        ValueError: ``workers`` is below 0.
    """
    if workers < 0:
        raise ValueError(f"workers {workers}: expected 0 or more")
    workers = workers or max(2, detector.at_once)
    waiting: deque[Future[PictureResult]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="look") as pool:
        try:
            for path in paths:
                waiting.append(pool.submit(_look, detector, path))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for looking in waiting:
                looking.cancel()


def _look(detector: VisionDetector, path: Path) -> PictureResult:
    try:
        prepared = detector.preprocess(path)
    except (Unreadable, OSError) as problem:
        return PictureResult(path, [], problem)
    return PictureResult(path, detector.predict([prepared])[0])
