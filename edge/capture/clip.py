"""Data types of a capture: a picture or a stretch of sound, with its time, file and progress."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from captures.decoded import Picture, Sound
from contract import Clock, Media


@dataclass(frozen=True, slots=True)
class FileMark:
    """Progress in a file; stored in the same transaction as the results.

    Attributes:
        path: Path of the file.
        size: Size in bytes.
        modified_ns: Time of the last modification; a file with another size or time counts as a new file.
        stretches: Number of its stretches that have been processed.
        finished: Whether the whole file has been processed.
    """

    path: str
    size: int
    modified_ns: int
    stretches: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """One capture: a picture or a stretch of sound.

    Attributes:
        content: The picture, in memory or as a path, or the sound.
        captured_at: Time of the first frame or sample.
        clock: Source and accuracy of that time.
        name: Name of the file, or a name that the source gives it.
        original: The recorded file, which stays on the station; None: there is none.
        mark: Progress in the file to store together with the results of this capture.
    """

    content: Path | Picture | Sound
    captured_at: datetime
    clock: Clock
    name: str
    original: Media | None = None
    mark: FileMark | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that cannot be used, with the reason."""

    name: str
    reason: str
    size: int
    mark: FileMark
