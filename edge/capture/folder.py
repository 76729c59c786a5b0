"""Source of files that a camera, card or recorder writes to a folder; each complete file is read once."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path

from captures.capture_time import picture_time, recording_time
from captures.decoded import Unreadable
from captures.file_types import CAPTURES
from captures.folder_listing import ListedFile, describe_passed_over, fewer_kinds, printable_name
from captures.original_file import capture_kind, original_media
from contract import Location, Media
from contract.supervision import describe_exception
from edge.capture.clip import AlreadyHeard, Clip, FileMark, Unusable
from edge.capture.film_file import FilmReader
from edge.capture.folder_index import FolderIndex
from edge.capture.port import SourceLost
from edge.capture.quiet_files import QuietFiles
from edge.capture.reading_guard import ReadingGuard
from edge.capture.recording_file import RecordingFiles
from edge.capture.unread_files import UnreadFiles

LOG = logging.getLogger("wildpost.station")
POLL_INTERVAL_S = 1.0
LOOK_SHARE = 0.02  # share of one core that looking may take: with very many folders, it pauses longer, up to
LONGEST_PAUSE_S = 5.0
ATTEMPTS = 3  # to read files of which none can be read, before each is reported instead of the whole folder
MAX_REPORTS = 100  # of unreadable files while not one can be read: more are a broken card
MarkOf = Callable[[str, int, int], FileMark | None]
LastMark = Callable[[str], FileMark | None]
MarksAlike = Callable[[int, int], Sequence[FileMark]]


class FolderSource:
    """Source that watches a folder for new files; implements ``Source``.

    A file is read when its size and modification time are the same in two consecutive looks. Which reader gets it is
    decided by its first bytes. Hidden files, system folders and files that end in .part or .tmp are ignored, since
    programs use such names while they write. Files are never moved, changed or removed.

    A file that cannot be read is reported once, as unusable but not finished, and tried again later.
    """

    def __init__(
        self,
        folder: Path,
        mark_of: MarkOf,
        zone: tzinfo,
        location: Location | None,
        stretch_s: float,
        deployed: datetime | None = None,
        last_mark: LastMark | None = None,
        note: Path | None = None,
        marks_alike: MarksAlike = lambda _size, _modified_ns: (),
        sees: bool = True,
        hears: bool = False,
    ) -> None:
        """Store the folder to watch and the options for reading its files.

        Args:
            folder: Folder to watch, including its subfolders.
            mark_of: Returns how much of a file has been processed, by path, size and modification time.
            zone: Time zone of the clocks of cameras and recorders, for files that do not state one.
            location: Position of the station, for location priors.
            stretch_s: Longer recordings are cut into stretches of this length, in seconds.
            deployed: When the deployment began; earlier times are not believed. None: not known.
            last_mark: Returns how much of a file was processed although it may have changed since, by path. None: what
                was processed of a file that has changed is not known.
            note: File that notes which capture is being examined, for ``ReadingGuard``; None: it is not noted.
            marks_alike: Returns the marks of recordings by size and modification time, for files that were renamed.
            sees: Whether the pictures of films are wanted.
            hears: Whether the sound tracks of films are wanted.
        """
        self._folder = folder
        self._mark_of = mark_of
        self._zone = zone
        self._deployed = deployed
        self._films = FilmReader(zone, location, stretch_s, deployed, sees, hears)
        self._index = FolderIndex(str(folder), CAPTURES, self._is_finished)
        self._unread = UnreadFiles()
        self._guard = ReadingGuard(note)
        self._quiet = QuietFiles()
        self._recordings = RecordingFiles(location, stretch_s)
        self._last_mark = last_mark
        self._marks_alike = marks_alike
        self._reported: set[str] = set()
        self._failed_passes = 0
        self._logged: dict[str, int] = {}
        self.passed_over: dict[str, int] = {}  # entries that are no captures, by kind; replaced, never changed

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | AlreadyHeard | Unusable | None]:
        """Yield the complete, unprocessed files of the folder, as ``Source.captures`` specifies."""
        last: set[ListedFile] = set()
        while not stop.is_set():
            began = time.thread_time()
            now = set(self._poll(stop.is_set))
            yield from self._bad_entries()
            cost_s = time.thread_time() - began
            complete = now & last
            waiting = {file for file in complete if not self._quiet.is_quiet(file, once)}
            yield from self._read_all(sorted(complete - waiting, key=lambda file: (file.modified_ns, file.path)), stop)
            if once and now == complete and not waiting:
                return
            last = now
            yield None
            longest_s = POLL_INTERVAL_S if once else LONGEST_PAUSE_S
            stop.wait(min(max(POLL_INTERVAL_S, cost_s / LOOK_SHARE), longest_s))

    def _poll(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[ListedFile]:
        """Yield the files that are not processed, without unreadable ones whose next attempt is not due."""
        try:
            files = self._index.look(stopped)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceLost("broken", f"{self._folder}: the folder does not exist; is it mounted?") from error
        except OSError as error:
            raise SourceLost("broken", f"{self._folder}: {error.strerror or error}") from error
        self._count_passed_over()
        yield from (file for file in files if self._unread.is_due(file))

    def _count_passed_over(self) -> None:
        """Count what is passed over; log it at the start, and when there is a new kind or twice as many."""
        counts = fewer_kinds(self._index.passed_over)
        if counts == self.passed_over:
            return
        self.passed_over = counts
        if counts.keys() - self._logged.keys() or sum(counts.values()) > 2 * sum(self._logged.values()):
            self._logged = counts
            LOG.warning("%s: not taken as captures: %s", self._folder, describe_passed_over(counts))

    def _bad_entries(self) -> Iterator[Unusable]:
        """Yield each entry that cannot be used, once."""
        for path, reason in list(self._index.bad_entries()):
            inside = printable_name(os.path.relpath(path, self._folder))
            yield from self._report(ListedFile(path, 0, 0), f"{inside}: {reason}")

    def _report(self, file: ListedFile, reason: str) -> Iterator[Unusable]:
        """Yield a report about an entry that cannot be read, unless this or an earlier run has reported it.

        Its mark says that the file is not finished; without a stretch processed, it also says that it was reported.
        """
        if self._is_reported(file):
            return
        self._reported.add(file.path)
        mark = self._progress(file)
        done = replace(_whole(file), stretches=mark.stretches if mark else 0, finished=False)
        yield Unusable(printable_name(Path(file.path).name), reason, file.size, done)

    def _is_reported(self, file: ListedFile) -> bool:
        if file.path in self._reported:
            return True
        mark = self._progress(file)
        return mark is not None and mark.stretches == 0

    def _read_all(self, files: list[ListedFile], stop: threading.Event) -> Iterator[Clip | AlreadyHeard | Unusable]:
        """Yield the captures of all files; a file that cannot be read costs only itself.

        Raises:
            SourceLost: none of the files could be read, as when a card is pulled out.
        """
        failed: list[tuple[ListedFile, OSError]] = []
        for file in files:
            if stop.is_set():
                return
            try:
                yield from self._read_guarded(file, stop)
            except FileNotFoundError:
                continue
            except OSError as error:
                if self._is_reported(file):
                    self._unread.failed(file)
                    continue
                failed.append((file, error))
                if not isinstance(error, PermissionError):
                    continue
            else:
                self._index.processed(file)
                self._unread.read(file)
                self._reported.discard(file.path)
            # A file can be read or refuses permission: the card is there, and the failures are those of single files.
            self._failed_passes = 0
            yield from self._report_unread(failed)
            failed = []
        if not failed:
            return
        self._failed_passes += 1
        if self._failed_passes < ATTEMPTS or len(failed) > MAX_REPORTS:
            first, cause = failed[0]
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            raise SourceLost("broken", f"{printable_name(first.path)}{more}: {cause.strerror or cause}") from cause
        yield from self._report_unread(failed)

    def _report_unread(self, failed: list[tuple[ListedFile, OSError]]) -> Iterator[Unusable]:
        for file, error in failed:
            self._unread.failed(file)
            yield from self._report(file, f"{printable_name(file.path)}: {error.strerror or error}; tried again later")

    def _read_guarded(self, file: ListedFile, stop: threading.Event) -> Iterator[Clip | AlreadyHeard | Unusable]:
        """Yield the captures of a file, unless the station's process has died at it again and again."""
        name = printable_name(Path(file.path).name)
        try:
            if problem := self._guard.begin(file, stop.is_set):
                yield Unusable(name, f"{name}: {problem}", file.size, _whole(file))
            elif not stop.is_set():
                yield from self._read(file, stop)
        finally:
            self._guard.end()

    def _read(self, file: ListedFile, stop: threading.Event) -> Iterator[Clip | AlreadyHeard | Unusable]:
        """Yield the captures of a file, or a report if it cannot be used.

        Raises:
            OSError: the file cannot be read, now or for good.
        """
        path, done = Path(file.path), _whole(file)
        name = printable_name(path.name)
        try:
            kind = capture_kind(path, file.size)
            if kind.family == "film":
                yield from self._films.captures(
                    path, done, self._progress(file), lambda: original_media(path, kind, stop)
                )
                return
            original = original_media(path, kind, stop)
            if original is None:
                return
            if kind.family == "picture":
                taken, clock = picture_time(path, self._zone, file.modified_ns, None, self._deployed)
                yield Clip(path, taken, clock, name, original, done)
            else:
                yield from self._recording(done, path, original, stop)
        except Unreadable as error:
            yield Unusable(name, printable_name(str(error)), file.size, done)
        except OSError:
            raise
        except Exception as error:
            # Nobody knows which exception a damaged file will cause next; it must not stop the files after it.
            LOG.exception("%s: an unexpected error", done.path)
            yield Unusable(name, f"{name}: the station fails at it: {describe_exception(error)}", file.size, done)

    def _recording(
        self, mark: FileMark, path: Path, original: Media, stop: threading.Event
    ) -> Iterator[Clip | AlreadyHeard]:
        start, clock = recording_time(path, self._zone, mark.modified_ns, None, self._deployed)
        last = self._last_mark(mark.path) if self._last_mark else self._mark_of(mark.path, mark.size, mark.modified_ns)
        if last is None:
            alike = self._marks_alike(mark.size, mark.modified_ns)
            if not any(os.path.lexists(one.path) for one in alike):  # otherwise this is a copy
                last = alike[-1] if alike else None
        for capture in self._recordings.captures(path, mark, last, start, clock, original):
            if stop.is_set():
                return
            yield capture

    def _is_finished(self, file: ListedFile) -> bool:
        mark = self._progress(file)
        return mark is not None and mark.finished

    def _progress(self, file: ListedFile) -> FileMark | None:
        """Return how much of a file has been processed; None: nothing."""
        return self._mark_of(printable_name(file.path), file.size, file.modified_ns)


def _whole(file: ListedFile) -> FileMark:
    """Return the mark of a file that has been processed to its end."""
    return FileMark(printable_name(file.path), file.size, file.modified_ns, 1, finished=True)
