"""Looks at many pictures: some are being read while the network looks at another."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contract import Detection
from models.protocol import Unreadable
from models.vision.detector import PreparedPicture, VisionDetector


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one picture.

    Attributes:
        path: The picture.
        detections: What is in it, most confident first; empty also where it could not be used.
        problem: Why it could not be used; None where it could.
    """

    path: Path
    detections: list[Detection]
    problem: Unreadable | OSError | None = None


def look(detector: VisionDetector, paths: Iterable[Path], readers: int = 2) -> Iterator[Looked]:
    """Look at pictures in the order given; memory holds a few of them, however many there are.

    Reading a picture takes longer than looking at it, so ``readers`` threads read ahead of the network. A picture that
    cannot be used is a result with its problem, and the next one follows.

    Args:
        detector: The network; used from the calling thread alone.
        paths: The pictures.
        readers: Threads that read; 1 or more.

    Raises:
        ValueError: ``readers`` is below 1.
    """
    if readers < 1:
        raise ValueError(f"readers {readers}: expected 1 or more")
    waiting: deque[tuple[Path, Future[PreparedPicture]]] = deque()
    with ThreadPoolExecutor(readers, thread_name_prefix="reader") as pool:
        try:
            for path in paths:
                waiting.append((path, pool.submit(detector.preprocess, path)))
                if len(waiting) > 2 * readers:
                    yield _result(detector, *waiting.popleft())
            while waiting:
                yield _result(detector, *waiting.popleft())
        finally:
            for _, reading in waiting:
                reading.cancel()


def _result(detector: VisionDetector, path: Path, reading: Future[PreparedPicture]) -> Looked:
    try:
        prepared = reading.result()
    except (Unreadable, OSError) as problem:
        return Looked(path, [], problem)
    return Looked(path, detector.predict([prepared])[0])
