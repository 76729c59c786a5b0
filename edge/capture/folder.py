"""Files that arrive in a folder, from a camera, a card, a recorder: each is taken up once, none half-written."""

import hashlib
import mimetypes
import os
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from captures.capture_time import picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_types import PICTURES, RECORDINGS
from contract import Location, Media
from edge.capture.clip import Clip, FileMark, Unusable
from edge.capture.port import SourceLost

LOOK_EVERY_S = 1.0
ATTEMPTS = 3  # to read a file that the system lists and does not hand out
MarkOf = Callable[[str, int, int], FileMark | None]


class _Seen(NamedTuple):
    path: Path
    size: int
    modified_ns: int


class FolderSource:
    """Looks for files again and again. See ``Source`` for the contract.

    A file is taken up when its size and time have stood still between two looks. Hidden files and those that end in
    .part or .tmp are passed over: that is how careful programs write. Files are never moved, changed or removed.
    """

    def __init__(
        self, folder: Path, mark_of: MarkOf, zone: tzinfo, location: Location | None, stretch_s: float
    ) -> None:
        """Name the folder.

        Args:
            folder: Watched with all that is below it.
            mark_of: Tells how far a file has been worked off.
            zone: In which cameras' and recorders' clocks run where a file does not say.
            location: Of the station, for priors of place.
            stretch_s: A longer recording is cut into pieces of this length.
        """
        self._folder = folder
        self._mark_of = mark_of
        self._zone = zone
        self._location = location
        self._stretch_s = stretch_s
        self._failures: Counter[Path] = Counter()

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | Unusable | None]:
        """See ``Source.captures``."""
        last: set[_Seen] = set()
        while not stop.is_set():
            now = set(self._look())
            settled = now & last
            for seen in sorted(settled, key=lambda one: (one.modified_ns, one.path)):
                if stop.is_set():
                    return
                yield from self._take_up(seen)
            if once and now == settled:
                return
            last = now
            yield None
            stop.wait(LOOK_EVERY_S)

    def _look(self) -> Iterator[_Seen]:
        try:
            if not self._folder.is_dir():
                raise SourceLost("broken", f"{self._folder}: no such folder now; is it mounted?")
            for path in self._folder.rglob("*"):
                hidden = any(part.startswith(".") for part in path.relative_to(self._folder).parts)
                if hidden or path.suffix.lower() not in PICTURES | RECORDINGS:
                    continue
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # gone between two breaths: whoever put it there took it back
                if not stat.S_ISREG(status.st_mode):
                    continue
                mark = self._mark_of(_shown(path), status.st_size, status.st_mtime_ns)
                if mark is None or not mark.finished:
                    yield _Seen(path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise SourceLost("broken", f"{self._folder}: {error.strerror or error}") from error

    def _take_up(self, seen: _Seen) -> Iterator[Clip | Unusable]:
        done = FileMark(_shown(seen.path), seen.size, seen.modified_ns, 1, finished=True)
        name = _shown(seen.path.name)
        try:
            if seen.path.suffix.lower() in PICTURES:
                taken, clock = picture_time(seen.path, self._zone, seen.modified_ns)
                yield Clip(seen.path, taken, clock, name, _original(seen.path), done)
            else:
                yield from self._stretches(seen)
        except Unreadable as error:
            yield Unusable(name, _shown(str(error)), seen.size, done)
        except FileNotFoundError:
            return
        except OSError as error:
            # One file on a bad sector must not keep the others waiting for ever.
            self._failures[seen.path] += 1
            if self._failures[seen.path] < ATTEMPTS and not isinstance(error, PermissionError):
                raise SourceLost("broken", f"{done.path}: {error.strerror or error}") from error
            yield Unusable(name, f"{name}: {error.strerror or error}", seen.size, done)

    def _stretches(self, seen: _Seen) -> Iterator[Clip]:
        """Cut a recording; each piece is noted as done with what was found in it, the last one with the whole file."""
        from captures.sound import read_stretches

        began, clock = recording_time(seen.path, self._zone, seen.modified_ns)
        original = _original(seen.path)
        mark = self._mark_of(_shown(seen.path), seen.size, seen.modified_ns)
        skip = mark.stretches if mark else 0
        pieces = read_stretches(seen.path, stretch_s=self._stretch_s, taken_at=began, location=self._location)
        for number, (piece, broken, last) in enumerate(_told_ahead(pieces), start=1):
            if number > skip:
                finished = last and broken is None
                done = FileMark(_shown(seen.path), seen.size, seen.modified_ns, number, finished)
                yield Clip(piece, piece.taken_at or began, clock, _shown(seen.path.name), original, done)
            if broken is not None:
                raise broken


def _told_ahead(pieces: Iterator[Sound]) -> Iterator[tuple[Sound, Unreadable | None, bool]]:
    """Say with each piece whether it is the last, and with what the recording breaks off after it."""
    piece = next(pieces, None)
    while piece is not None:
        following, broken = None, None
        try:
            following = next(pieces, None)
        except Unreadable as error:
            broken = error
        yield piece, broken, following is None
        piece = following


def _original(path: Path) -> Media:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Media(sha256=digest, type=kind, size=path.stat().st_size, role="original", name=_shown(path.name)[-255:])


def _shown(path: Path | str) -> str:
    """Write a name so that every program can read it: one in GBK on a card from an old camera is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
