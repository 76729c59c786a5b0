"""Captures of one recording file: each stretch of its sound once, however the file grows and is rewritten.

A recording is identified by its path and the beginning of its sound. Its size, its modification time and the metadata
around the sound may change: what was processed is not processed again, and what was added is. A renamed file is
recognised by its size and modification time, if no file has its old path any more.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from captures.sound import Heard, begins_with, read_recording, sound_info
from contract import Clock, Location, Media
from edge.capture.clip import AlreadyHeard, Clip, FileMark

_REPORT_AGAIN_S = 86_400.0  # the same fault of a channel is reported once a day


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
