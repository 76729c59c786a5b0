"""Data types of captures: pictures and stretches of sound, with their time, file and processing progress."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from captures.decoded import Picture, Sound
from captures.film import Film
from captures.sound import Heard
from contract import Clock, Media


@dataclass(frozen=True, slots=True)
class FileMark:
    """How much of a capture file has been processed; stored in one transaction with the resulting messages.

    Attributes:
        path: Path of the file.
        size: Size in bytes.
        modified_ns: Time of the last modification; a file with another size or time counts as a new file.
        stretches: Number of its stretches that have been processed.
        finished: Whether the whole file has been processed.
        heard: How much of a recording's sound has been processed; None: the file is no recording.
    """

    path: str
    size: int
    modified_ns: int
    stretches: int
    finished: bool
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One capture: a picture, a film or a stretch of sound.

    Attributes:
        content: The picture, in memory or as a path, the film, or the sound.
        captured_at: Time of the first frame or sample.
        clock: Source and accuracy of that time.
        name: Name of the file, or a name that the source gives it.
        original: The recorded file, which stays on the station; None: there is none.
        mark: Progress in the file to store together with the results of this capture.
        remarks: What is wrong with the file although it can be used; each is reported to the server.
    """

    content: Path | Picture | Film | Sound
    captured_at: datetime
    clock: Clock
    name: str
    original: Media | None = None
    mark: FileMark | None = None
    remarks: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["picture", "sound", "film"]:
        """Kind of the capture, as ``Event.capture``."""
        return "sound" if isinstance(self.content, Sound) else "film" if isinstance(self.content, Film) else "picture"

    @property
    def size(self) -> int:
        """Size of the original in bytes; 0 if there is none."""
        return self.original.size if self.original else 0

    @property
    def duration_s(self) -> float:
        """Duration of a sound or film in seconds; 0 for a picture."""
        if isinstance(self.content, Film):
            return self.content.head.duration_s
        return self.content.duration_s if isinstance(self.content, Sound) else 0.0


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file or capture that cannot be processed, with the reason; ``mark`` is None if it is no file of the source."""

    name: str
    reason: str
    size: int
    mark: FileMark | None


@dataclass(frozen=True, slots=True)
class AlreadyHeard:
    """A recording whose sound has been processed before, under another size or modification time."""

    mark: FileMark
