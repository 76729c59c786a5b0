"""Captures of one recording file: each stretch of its sound once, however the file grows and is rewritten.

A recording is identified by its path and the beginning of its sound; a renamed file keeps its size and modification
time, and its old path is gone. Its size, its modification time and the metadata
around the sound may change: what was processed is not processed again, and what was added is.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from captures.decoded import Unreadable
from captures.sound import Heard, begins_with, read_recording, sound_info
from contract import Clock, Location, Media
from edge.capture.clip import AlreadyHeard, Clip, FileMark

# A recording is read when its file has not changed for so long: recorders write in bursts, with pauses.
COMPLETE_S = 10.0  # if the file states where its sound ends and it ends there
INCOMPLETE_S = 30.0  # otherwise: the recorder may still write; if it died, what is there is read then
INCOMPLETE_ONCE_S = 10.0  # with ``once`` a person waits; complete and unreadable files are read at once then
_MOST_WAITING = 10_000
_REPORT_AGAIN_S = 86_400.0  # the same fault of a channel is reported once a day


class QuietFiles:
    """Tells from when on a recording does not change any more."""

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
        self._since: dict[str, tuple[int, int, float]] = {}

    def is_quiet(self, path: Path, size: int, modified_ns: int, once: bool) -> bool:
        """Return whether a recording has not changed for so long that it can be read."""
        longest_s = INCOMPLETE_ONCE_S if once else INCOMPLETE_S
        now = self._clock()
        if len(self._since) > _MOST_WAITING:  # most of them were removed since
            self._since.clear()
        known = self._since.get(str(path))
        if known is None or known[:2] != (size, modified_ns):
            known = self._since[str(path)] = (size, modified_ns, now)
        quiet_s = max(now - known[2], self._wall_clock() - modified_ns / 1e9)
        if quiet_s < longest_s and quiet_s < _needed_s(path, once):
            return False
        del self._since[str(path)]
        return True


def _needed_s(path: Path, once: bool) -> float:
    try:
        complete = sound_info(path).complete
    except (Unreadable, OSError):
        return 0.0 if once else INCOMPLETE_S  # its header may still come; when it is read, the reason is known
    if complete:
        return 0.0 if once else COMPLETE_S
    return INCOMPLETE_ONCE_S if once else INCOMPLETE_S


class RecordingFiles:
    """Reads recordings as captures, each stretch of sound once."""

    def __init__(
        self, location: Location | None, stretch_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Store the options.

        Args:
            location: Position of the station, for location priors.
            stretch_s: Longer recordings are cut into stretches of this length, in seconds.
            clock: Returns seconds from an arbitrary start.
        """
        self._location = location
        self._stretch_s = stretch_s
        self._clock = clock
        self._reported: dict[str, float] = {}

    def captures(
        self, path: Path, mark: FileMark, last: FileMark | None, start: datetime, clock: Clock, original: Media
    ) -> Iterator[Clip | AlreadyHeard]:
        """Yield the stretches that have not been processed, each with the mark of the progress up to its end.

        Args:
            path: The file.
            mark: Its printable path, size and modification time.
            last: How much of it was processed, perhaps under another size and time.
            start: Start time of the recording.
            clock: Source of that time.
            original: The file.

        Raises:
            Unreadable: the file is not a recording or has no sound.
            OSError: the file cannot be read.
        """
        number, skip_frames, heard = self._progress(path, mark, last)
        ended = False
        for stretch in read_recording(
            path, stretch_s=self._stretch_s, taken_at=start, location=self._location, skip_frames=skip_frames
        ):
            number, ended = number + 1, stretch.last
            done = FileMark(mark.path, mark.size, mark.modified_ns, number, ended, stretch.heard)
            faults = [
                f"{original.name}: {fault}" for fault in stretch.faults if self._is_new(fault.channel, fault.kind)
            ]
            remarks = (*stretch.remarks, *faults)
            yield Clip(stretch.sound, stretch.sound.taken_at or start, clock, original.name, original, done, remarks)
        if not ended:
            yield AlreadyHeard(FileMark(mark.path, mark.size, mark.modified_ns, number, True, heard))

    def _progress(self, path: Path, mark: FileMark, last: FileMark | None) -> tuple[int, int, Heard | None]:
        """Return how much has been processed: stretches, samples per channel, and the sound, if it is known."""
        if last is None:
            return 0, 0, None
        if last.heard is not None:
            return (
                (last.stretches, last.heard.frames, last.heard)
                if begins_with(path, last.heard.payload)
                else (0, 0, None)
            )
        if (last.size, last.modified_ns) == (mark.size, mark.modified_ns):  # begun by a version that stored no sound
            return last.stretches, round(last.stretches * self._stretch_s * sound_info(path).rate_hz), None
        return 0, 0, None

    def _is_new(self, channel: int, kind: str) -> bool:
        """Return whether a fault of a channel is to be reported: when it appears, and every day while it lasts."""
        key, now = f"{channel} {kind}", self._clock()
        reported = self._reported.get(key)
        if reported is not None and now - reported < _REPORT_AGAIN_S:
            return False
        self._reported[key] = now
        return True
