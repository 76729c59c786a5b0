"""Notification of changes in folders by Linux's inotify, as far as the system offers it."""

import ctypes
import os
import struct
import sys
import weakref
from dataclasses import dataclass, field

# Constants of <sys/inotify.h>.
_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _ONLY_DIRECTORY, _IS_DIRECTORY = 0x4000, 0x8000, 0x0100_0000, 0x4000_0000
_ALL = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
_READ_BYTES = 65_536
_MAX_READS = 64  # of one call: a flood of events must not hold the caller


@dataclass(slots=True)
class Changes:
    """Changes since the last call.

    Attributes:
        files: Names of the changed files by folder.
        folders: Folders in which a subfolder was made, moved or removed.
        lost: Whether events were lost, so that every folder may have changed.
    """

    files: dict[str, set[str]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    lost: bool = False


class FolderWatches:
    """Watches on folders; on a system without inotify, no folder can be watched.

    A network file system accepts watches but reports only this machine's changes.
    """

    def __init__(self) -> None:
        """Open an inotify instance, if the system has one left."""
        self._descriptor = -1
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        if sys.platform == "linux":
            self._library = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor >= 0:
            weakref.finalize(self, os.close, self._descriptor)

    def add(self, folder: str) -> bool:
        """Watch a folder; return False if that is not possible, for instance because the user has too many watches."""
        if self._descriptor < 0:
            return False
        watch = self._library.inotify_add_watch(self._descriptor, os.fsencode(folder), _ALL | _ONLY_DIRECTORY)
        if watch < 0:
            return False
        self._paths[watch] = folder
        self._watches[folder] = watch
        return True

    def remove(self, folder: str) -> None:
        """End the watch on a folder, if there is one."""
        watch = self._watches.pop(folder, None)
        if watch is not None and self._paths.get(watch) == folder:
            del self._paths[watch]
            self._library.inotify_rm_watch(self._descriptor, watch)

    def changes(self) -> Changes:
        """Return the changes since the last call."""
        found = Changes()
        for _ in range(_MAX_READS):
            if self._descriptor < 0:
                return found
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return found
            self._sort(data, found)
        found.lost = True
        return found

    def _sort(self, data: bytes, found: Changes) -> None:
        at = 0
        while at + _EVENT.size <= len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            name = os.fsdecode(data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0"))
            at += _EVENT.size + length
            folder = self._paths.get(watch)
            if mask & _OVERFLOW:
                found.lost = True
            elif folder is None:
                continue
            elif mask & _IGNORED:  # the folder was removed or unmounted
                del self._paths[watch]
                if self._watches.get(folder) == watch:
                    del self._watches[folder]
                found.folders.add(folder)
            elif mask & _IS_DIRECTORY:
                found.folders.add(folder)
            elif name:
                found.files.setdefault(folder, set()).add(name)
