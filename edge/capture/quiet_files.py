"""Choice of the files that can be read: those that have not changed for some seconds, since devices write in bursts."""

import time
from collections.abc import Callable
from pathlib import Path

from captures.decoded import Unreadable
from captures.file_types import RECORDINGS
from captures.folder_listing import ListedFile, ending_of
from captures.picture_header import TAIL_BYTES, has_end
from captures.sound import sound_info

# Seconds without a change, after which a recording is read.
COMPLETE_S = 10.0  # if the file states where its sound ends and it ends there
INCOMPLETE_S = 30.0  # otherwise: the recorder may still write; if it died, what is there is read then
INCOMPLETE_ONCE_S = 10.0  # with ``once`` a person waits; complete and unreadable files are read at once then
INCOMPLETE_PICTURE_S = 10.0  # of a picture without its end; with ``once``, and with its end, it is read at once
_MOST_WAITING = 10_000


class QuietFiles:
    """Remembers since when each file has not changed."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Create an empty list.

        Args:
            clock: Returns seconds from an arbitrary start.
            wall_clock: Returns seconds since 1970.
        """
        self._clock = clock
        self._wall_clock = wall_clock
        self._since: dict[str, tuple[ListedFile, float]] = {}

    def is_quiet(self, file: ListedFile, once: bool) -> bool:
        """Return whether a file has not changed for so long that it can be read."""
        now = self._clock()
        if len(self._since) > _MOST_WAITING:  # most of them were removed since
            self._since.clear()
        seen, since = self._since.get(file.path, (None, now))
        if seen != file:
            since = now
            self._since[file.path] = file, since
        quiet_s = max(now - since, self._wall_clock() - file.modified_ns / 1e9)
        if quiet_s < _longest_s(file, once) and quiet_s < _needed_s(file, once):
            return False
        del self._since[file.path]
        return True


def _longest_s(file: ListedFile, once: bool) -> float:
    """Return the time that is enough for a file of this kind whatever is in it."""
    if ending_of(file.path) in RECORDINGS:
        return INCOMPLETE_ONCE_S if once else INCOMPLETE_S
    return 0.0 if once else INCOMPLETE_PICTURE_S


def _needed_s(file: ListedFile, once: bool) -> float:
    """Return the time that is needed for a file, by its content."""
    if ending_of(file.path) not in RECORDINGS:
        return 0.0 if _has_end(file) else INCOMPLETE_PICTURE_S
    try:
        complete = sound_info(Path(file.path)).complete
    except (Unreadable, OSError):
        return 0.0 if once else INCOMPLETE_S  # its header may still come; when it is read, the reason is known
    if complete:
        return 0.0 if once else COMPLETE_S
    return _longest_s(file, once)


def _has_end(file: ListedFile) -> bool:
    """Return whether a file is no picture, or the end of a picture is in its last bytes; True if it cannot be read."""
    try:
        with Path(file.path).open("rb") as opened:
            head = opened.read(8)
            opened.seek(max(0, file.size - TAIL_BYTES))
            return has_end(head, opened.read(TAIL_BYTES))
    except OSError:
        return True
