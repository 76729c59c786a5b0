"""Index of the unprocessed files in a watched folder; a folder is listed again only when it may have changed.

inotify reports changes by name. A folder's modification time shows new and removed entries also on network file
systems, which report only this machine's changes to inotify. What neither shows, such as a file that another machine
rewrites in place, is found when the folder is listed again after ``RELIST_S``.
"""

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from captures.folder_listing import (
    PARTIAL_ENDINGS,
    BadEntry,
    ListedFile,
    ending_of,
    is_hidden,
    list_folder,
    modified_ns,
    nesting_problem,
)
from edge.capture.inotify import Changes, FolderWatches

RELIST_S = 300.0
GRANULARITY_S = 3.0  # two changes within the resolution of modification times (2 s on FAT) leave the same time
RETRY_FIRST_S, RETRY_MAX_S = 1.0, 60.0  # pauses between attempts to list a folder that cannot be listed


@dataclass(slots=True)
class _Folder:
    """State of one folder at its last listing."""

    depth: int
    identity: tuple[int, int] | None = None  # device and inode
    modified_ns: int = -1
    listed_at: float = 0.0
    again_at: float | None = None  # when to list it again although nothing may have changed
    retry_s: float = RETRY_FIRST_S
    broken: bool = False  # whether it could not be listed
    names: int = 0  # hash of the names of files and subfolders
    times_reliable: bool = True  # whether its modification time changes with its entries
    finished: set[int] = field(default_factory=set)  # hashes of the processed files: 8 bytes instead of a name
    pending: dict[str, ListedFile] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    bad: list[BadEntry] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


class FolderIndex:
    """Files of a folder and its subfolders that are not processed yet, its bad entries, and what is passed over."""

    def __init__(
        self,
        root: str,
        endings: AbstractSet[str],
        is_finished: Callable[[ListedFile], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the options; nothing is listed before the first ``look``.

        Args:
            root: The folder.
            endings: Lower-case file name endings of captures.
            is_finished: Returns whether a file has been processed.
            clock: Returns the time in seconds from an arbitrary start.
        """
        self._root = root
        self._endings = endings
        self._is_finished = is_finished
        self._clock = clock
        self._folders: dict[str, _Folder] = {}
        self._watches = FolderWatches()
        self._stopped: Callable[[], bool] = lambda: False
        self._passed_over: Counter[str] | None = None

    @property
    def passed_over(self) -> Counter[str]:
        """Number of entries that are no captures, by kind (see ``Listing.passed_over``)."""
        if self._passed_over is None:
            self._passed_over = Counter()
            for folder in self._folders.values():
                self._passed_over.update(folder.passed_over)
        return self._passed_over

    def bad_entries(self) -> Iterator[BadEntry]:
        """Yield the entries that cannot be used at present."""
        for folder in self._folders.values():
            yield from folder.bad

    def look(self, stopped: Callable[[], bool] = lambda: False) -> list[ListedFile]:
        """Bring the index up to date and return the files that are not processed.

        Args:
            stopped: Ends the look early when it returns True.

        Raises:
            OSError: the root folder does not exist or cannot be listed.
        """
        self._stopped = stopped
        changes = self._watches.changes()
        overdue = self._overdue()
        if self._root not in self._folders:
            self._folders[self._root] = _Folder(0)
        waiting = list(self._folders)
        while waiting and not stopped():
            path = waiting.pop()
            if path in self._folders:
                waiting += self._refresh(path, changes, overdue=path == overdue)
        return [file for folder in self._folders.values() for file in self._pending(folder)]

    def processed(self, file: ListedFile) -> None:
        """Look up whether a file is finished, after its captures have been processed."""
        folder = self._folders.get(file.path.rpartition(os.sep)[0])
        if folder is not None and folder.pending.get(file.path) == file and self._is_finished(file):
            del folder.pending[file.path]
            folder.finished.add(hash(file))

    def _overdue(self) -> str | None:
        """Return the folder that was listed first, if that was ``RELIST_S`` ago; one folder a look spreads the cost."""
        path = min(self._folders, key=lambda path: self._folders[path].listed_at, default=None)
        return path if path is not None and self._clock() - self._folders[path].listed_at >= RELIST_S else None

    def _refresh(self, path: str, changes: Changes, overdue: bool) -> list[str]:
        """Compare a folder with its last listing; return the subfolders that are new.

        The folder is listed again if its modification time has changed or that time is not reliable; of a watched
        folder, only the files that inotify reported are examined.
        """
        folder, now = self._folders[path], self._clock()
        if folder.broken and folder.again_at is not None and now < folder.again_at:
            return []
        try:
            status = Path(path).stat()
            identity = (status.st_dev, status.st_ino)
            if folder.identity not in (None, identity):  # another file system was mounted there, or the folder replaced
                depth = folder.depth
                self._forget(path)
                folder = self._folders[path] = _Folder(depth)
            names = changes.files.get(path, set())
            reported = bool(names) or path in changes.folders
            moved = status.st_mtime_ns != folder.modified_ns and not reported
            due = overdue or (folder.again_at is not None and now >= folder.again_at)
            whole = moved or due or changes.lost or path in changes.folders or not folder.times_reliable
            new: list[str] = []
            if whole or not all(self._examine(path, name, folder) for name in names):
                before = folder.names
                new = self._list(path, folder)
                if self._stopped():
                    return []
                if overdue and not (reported or moved or changes.lost) and folder.names != before:
                    folder.times_reliable = False
                folder.listed_at = now
                folder.again_at = now + GRANULARITY_S if moved else None
            folder.identity, folder.modified_ns = identity, status.st_mtime_ns
            folder.broken, folder.retry_s = False, RETRY_FIRST_S
        except OSError as error:
            self._fail(path, folder, error)
            return []
        return new

    def _fail(self, path: str, folder: _Folder, error: OSError) -> None:
        """Keep a folder that cannot be listed as a bad entry, to be listed again later.

        Raises:
            OSError: it is the root folder.
        """
        if path == self._root:
            self._forget(path)
            raise error
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            self._forget(path)
            return
        folder.broken = True
        folder.bad = [BadEntry(path, error.strerror or str(error))]
        folder.pending.clear()
        folder.listed_at = self._clock()
        folder.again_at = folder.listed_at + folder.retry_s
        folder.retry_s = min(2 * folder.retry_s, RETRY_MAX_S)

    def _list(self, path: str, folder: _Folder) -> list[str]:
        """List a folder; return the subfolders that are new.

        Raises:
            OSError: the folder cannot be listed.
        """
        self._watches.add(path)  # before the listing: a file that is written in between is then reported
        listing = list_folder(path, self._endings, self._root, self._stopped)
        if self._stopped():
            return []  # the listing may be incomplete
        pending, folder.pending = folder.pending, {}
        finished, folder.finished = folder.finished, set()
        for file in listing.files:
            if hash(file) in finished or (pending.get(file.path) != file and self._is_finished(file)):
                folder.finished.add(hash(file))
            else:
                folder.pending[file.path] = file
        names = [file.path for file in listing.files] + listing.folders
        folder.names = hash(frozenset(names))
        folder.bad = listing.bad
        folder.passed_over = listing.passed_over
        self._passed_over = None
        new = []
        for subfolder in listing.folders:
            if subfolder in self._folders:
                if self._folders[subfolder].broken:
                    self._folders[subfolder].again_at = 0.0  # its permissions may have changed
                continue
            problem = nesting_problem(folder.depth + 1, len(self._folders))
            if problem is not None:
                folder.bad.append(BadEntry(subfolder, problem))
                continue
            self._folders[subfolder] = _Folder(folder.depth + 1)
            new.append(subfolder)
        for subfolder in folder.folders.difference(listing.folders):
            self._forget(subfolder)
        folder.folders = frozenset(listing.folders)
        return new

    def _examine(self, path: str, name: str, folder: _Folder) -> bool:
        """Examine a file that inotify reported; return False if the folder must be listed for it."""
        ending = ending_of(name)
        if is_hidden(name) or ending in PARTIAL_ENDINGS:
            return True
        if ending not in self._endings:
            return False
        whole_path = f"{path}{os.sep}{name}"
        if any(one.path == whole_path for one in folder.bad):
            return False
        folder.pending.pop(whole_path, None)
        try:
            status = os.lstat(whole_path)
        except FileNotFoundError:
            return True
        if not stat.S_ISREG(status.st_mode):
            return False
        self._take(ListedFile(whole_path, status.st_size, modified_ns(status)), folder)
        return True

    def _take(self, file: ListedFile, folder: _Folder) -> None:
        if hash(file) in folder.finished or self._is_finished(file):
            folder.finished.add(hash(file))
        else:
            folder.pending[file.path] = file

    def _pending(self, folder: _Folder) -> Iterator[ListedFile]:
        """Yield the unprocessed files of a folder with their present size and time."""
        for path, file in list(folder.pending.items()):
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                del folder.pending[path]
                continue
            except OSError:
                yield file  # reading it gives the reason
                continue
            if not stat.S_ISREG(status.st_mode):
                del folder.pending[path]
                continue
            now = ListedFile(path, status.st_size, modified_ns(status))
            if now != file:
                del folder.pending[path]
                self._take(now, folder)
            if path in folder.pending:
                yield folder.pending[path]

    def _forget(self, path: str) -> None:
        """Remove a folder and its subfolders from the index."""
        waiting = [path]
        while waiting:
            folder = self._folders.pop(waiting[-1], None)
            self._watches.remove(waiting.pop())
            waiting += folder.folders if folder else ()
        self._passed_over = None
