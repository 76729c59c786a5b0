"""One capture on its way through the station: a picture or a stretch of sound, and what is known of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from captures.decoded import Picture, Sound
from contract import Clock, Media


@dataclass(frozen=True, slots=True)
class FileMark:
    """How far a file has been worked off; kept in the same transaction as what was found in it.

    Attributes:
        path: Of the file.
        size: In bytes, and
        modified_ns: when last written: together they tell whether it is still the same file.
        stretches: How many stretches of it are done.
        finished: Nothing is left to do in it.
    """

    path: str
    size: int
    modified_ns: int
    stretches: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """What a source yields.

    Attributes:
        content: The picture, in memory or as its file, or the sound.
        captured_at: When its first frame or sample was taken.
        clock: How far that time can be trusted.
        name: Of the file, or what the source calls it.
        original: The file as it was recorded, which stays on the station; None where there is none.
        mark: What to note as worked off along with it.
    """

    content: Path | Picture | Sound
    captured_at: datetime
    clock: Clock
    name: str
    original: Media | None = None
    mark: FileMark | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that cannot be used, and why."""

    name: str
    reason: str
    size: int
    mark: FileMark
