"""Source of files that a camera, card or recorder writes to a folder; each complete file is read once."""

import hashlib
import mimetypes
import os
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

from captures.capture_time import picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_types import PICTURES, RECORDINGS
from contract import Location, Media
from edge.capture.clip import Clip, FileMark, Unusable
from edge.capture.port import SourceLost

POLL_INTERVAL_S = 1.0
ATTEMPTS = 3  # to read a file that is listed but cannot be read
MarkOf = Callable[[str, int, int], FileMark | None]


class _File(NamedTuple):
    path: Path
    size: int
    modified_ns: int


class FolderSource:
    """Source that polls a folder for new files; implements ``Source``.

    A file is read when its size and modification time are the same in two consecutive polls. Hidden files and files
    that end in .part or .tmp are ignored, since programs use such names while they write. Files are never moved,
    changed or removed.
    """

    def __init__(
        self,
        folder: Path,
        mark_of: MarkOf,
        zone: tzinfo,
        location: Location | None,
        stretch_s: float,
        deployed: datetime | None = None,
    ) -> None:
        """Store the folder to watch and the options for reading its files.

        Args:
            folder: Folder to watch, including its subfolders.
            mark_of: Returns how much of a file has been processed, by path, size and modification time.
            zone: Time zone of the clocks of cameras and recorders, for files that do not state one.
            location: Position of the station, for location priors.
            stretch_s: Longer recordings are cut into stretches of this length, in seconds.
            deployed: When the deployment began; earlier times are not believed. None: not known.
        """
        self._folder = folder
        self._mark_of = mark_of
        self._zone = zone
        self._location = location
        self._stretch_s = stretch_s
        self._deployed = deployed
        self._failures: Counter[Path] = Counter()

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | Unusable | None]:
        """Yield the complete, unprocessed files of the folder, as ``Source.captures`` specifies."""
        last: set[_File] = set()
        while not stop.is_set():
            now = set(self._poll())
            complete = now & last
            for seen in sorted(complete, key=lambda file: (file.modified_ns, file.path)):
                if stop.is_set():
                    return
                yield from self._read(seen)
            if once and now == complete:
                return
            last = now
            yield None
            stop.wait(POLL_INTERVAL_S)

    def _poll(self) -> Iterator[_File]:
        try:
            if not self._folder.is_dir():
                raise SourceLost("broken", f"{self._folder}: the folder does not exist; is it mounted?")
            for path in self._folder.rglob("*"):
                hidden = any(part.startswith(".") for part in path.relative_to(self._folder).parts)
                if hidden or path.suffix.lower() not in PICTURES | RECORDINGS:
                    continue
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # removed since it was listed
                if not stat.S_ISREG(status.st_mode):
                    continue
                mark = self._mark_of(_printable(path), status.st_size, status.st_mtime_ns)
                if mark is None or not mark.finished:
                    yield _File(path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise SourceLost("broken", f"{self._folder}: {error.strerror or error}") from error

    def _read(self, seen: _File) -> Iterator[Clip | Unusable]:
        done = FileMark(_printable(seen.path), seen.size, seen.modified_ns, 1, finished=True)
        name = _printable(seen.path.name)
        try:
            if seen.path.suffix.lower() in PICTURES:
                taken, clock = picture_time(seen.path, self._zone, seen.modified_ns, None, self._deployed)
                yield Clip(seen.path, taken, clock, name, _original(seen.path), done)
            else:
                yield from self._stretches(seen)
        except Unreadable as error:
            yield Unusable(name, _printable(str(error)), seen.size, done)
        except FileNotFoundError:
            return
        except OSError as error:
            # One unreadable file, as on a bad sector, must not block the others forever.
            self._failures[seen.path] += 1
            if self._failures[seen.path] < ATTEMPTS and not isinstance(error, PermissionError):
                raise SourceLost("broken", f"{done.path}: {error.strerror or error}") from error
            yield Unusable(name, f"{name}: {error.strerror or error}", seen.size, done)

    def _stretches(self, seen: _File) -> Iterator[Clip]:
        """Yield the stretches of a recording as captures, each with a ``FileMark`` of the progress up to its end."""
        from captures.sound import read_stretches

        start, clock = recording_time(seen.path, self._zone, seen.modified_ns, None, self._deployed)
        original = _original(seen.path)
        mark = self._mark_of(_printable(seen.path), seen.size, seen.modified_ns)
        skip = mark.stretches if mark else 0
        pieces = read_stretches(seen.path, stretch_s=self._stretch_s, taken_at=start, location=self._location)
        for number, (piece, error, last) in enumerate(_look_ahead(pieces), start=1):
            if number > skip:
                finished = last and error is None
                done = FileMark(_printable(seen.path), seen.size, seen.modified_ns, number, finished)
                yield Clip(piece, piece.taken_at or start, clock, _printable(seen.path.name), original, done)
            if error is not None:
                raise error


def _look_ahead(pieces: Iterator[Sound]) -> Iterator[tuple[Sound, Unreadable | None, bool]]:
    """Yield each stretch with the decoding error that follows it, if any, and whether it is the last stretch."""
    piece = next(pieces, None)
    while piece is not None:
        following, failure = None, None
        try:
            following = next(pieces, None)
        except Unreadable as error:
            failure = error
        yield piece, failure, following is None
        piece = following


def _original(path: Path) -> Media:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Media(sha256=digest, type=kind, size=path.stat().st_size, role="original", name=_printable(path.name)[-255:])


def _printable(path: Path | str) -> str:
    """Return a file name as valid UTF-8, with other bytes escaped; old cameras may write names in GBK."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
