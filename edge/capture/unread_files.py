"""Schedule of the next attempts to read files that could not be read."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from captures.folder_listing import ListedFile

RETRY_FIRST_S, RETRY_MAX_S = 30.0, 3600.0


@dataclass(slots=True)
class _Attempt:
    file: ListedFile
    changed_ns: int  # time of the last change of the inode: also permissions
    due: float
    pause_s: float


class UnreadFiles:
    """Times of the next attempts: after a growing pause, or at once when the file or its permissions change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty list; ``clock`` returns seconds from an arbitrary start."""
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}

    def failed(self, file: ListedFile) -> None:
        """Record that a file could not be read."""
        last = self._attempts.get(file.path)
        pause_s = min(2 * last.pause_s, RETRY_MAX_S) if last is not None else RETRY_FIRST_S
        self._attempts[file.path] = _Attempt(file, _changed_ns(file.path), self._clock() + pause_s, pause_s)

    def read(self, file: ListedFile) -> None:
        """Record that a file could be read."""
        self._attempts.pop(file.path, None)

    def is_due(self, file: ListedFile) -> bool:
        """Return whether a file should be read now."""
        last = self._attempts.get(file.path)
        return (
            last is None or last.file != file or self._clock() >= last.due or _changed_ns(file.path) != last.changed_ns
        )


def _changed_ns(path: str) -> int:
    try:
        return os.lstat(path).st_ctime_ns
    except OSError:
        return 0
