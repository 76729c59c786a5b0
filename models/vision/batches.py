"""Runs a detector on many pictures with a pool of threads that decode pictures and run the network."""

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
    """The detections in one picture, or the error that prevented detection.

    Attributes:
        path: Path of the picture.
        detections: Sorted by confidence, highest first; empty if the picture could not be used.
        problem: The error if the picture could not be used; otherwise None.
    """

    path: Path
    detections: list[Detection]
    problem: Unreadable | OSError | None = None


def detect_in_pictures(detector: VisionDetector, paths: Iterable[Path], workers: int = 0) -> Iterator[PictureResult]:
    """Run a detector on many pictures, and yield one result per picture, in the order of the paths.

    Memory use does not grow with the number of pictures.

    A picture that cannot be used yields a result with its error, and detection continues with the next one.

    Args:
        detector: The opened detector.
        paths: Paths of the pictures.
        workers: Number of threads; 0: the detector's ``at_once``, but at least two, so that one thread can decode while
            another runs the network.

    Raises:
        ValueError: ``workers`` is below 0.
    """
    if workers < 0:
        raise ValueError(f"workers {workers}: expected 0 or more")
    workers = workers or max(2, detector.at_once)
    pending: deque[Future[PictureResult]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="detect") as pool:
        try:
            for path in paths:
                pending.append(pool.submit(_detect, detector, path))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _detect(detector: VisionDetector, path: Path) -> PictureResult:
    try:
        prepared = detector.preprocess(path)
    except (Unreadable, OSError) as problem:
        return PictureResult(path, [], problem)
    return PictureResult(path, detector.predict([prepared])[0])
