"""Durable queues of held back messages, one for each station, in a folder."""

import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from contract.durable_file import sync_folder
from ingest.receive.batch import ReceivedMessage
from ingest.receive.folder_lock import FolderLock
from ingest.receive.spool.segment import SegmentReader, SegmentWriter

_LOCK_S = 10.0
_SEGMENT_BYTES = 16_000_000  # a file is deleted when all of it is processed; after a crash, it is read again
_NAME = re.compile(r"(?P<number>\d{12})-(?P<station>[0-9a-f]*)\.spool")


class _Queue:
    """The files of one station: complete ones, and the one that is being written."""

    def __init__(self) -> None:
        self.paths: deque[Path] = deque()  # oldest first, the one being written included
        self.writer: SegmentWriter | None = None
        self.reader: SegmentReader | None = None  # of the oldest file


class Spool:
    """Queues of messages by station, which survive a restart; thread-safe.

    A message may be returned twice: after a crash, a file is read again from its start. The store recognises events
    that it has already.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder, and find the files that an earlier run left, also under another name.

        Folders beside this one belong to other processes. Those that no process has locked are of a client id that is
        no longer in use: their messages are acknowledged, so nobody would send them again.

        Raises:
            OSError: another process uses the folder, or it cannot be read.
        """
        self._folder = folder
        self._folder_lock = FolderLock(folder)  # acquiring it creates the folder
        deadline = time.monotonic() + _LOCK_S
        while not self._folder_lock.acquire():  # another process may be taking over its files
            if time.monotonic() > deadline:
                raise OSError(f"another process uses {folder}")
            time.sleep(0.05)
        _take_over(folder)
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._number = 0
        self._size = 0
        for path in sorted(folder.glob("*.spool")):
            if found := _NAME.fullmatch(path.name):
                queue = self._queues.setdefault(bytes.fromhex(found["station"]).decode(errors="replace"), _Queue())
                queue.paths.append(path)
                self._number = max(self._number, int(found["number"]))
                self._size += path.stat().st_size

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._size

    def stations(self) -> list[str]:
        """Return the stations with messages in the spool, in no particular order."""
        return list(self._queues)

    def __contains__(self, station: str) -> bool:
        """Return whether messages of a station are in the spool, so that its next one must wait behind them."""
        return station in self._queues

    def has_room(self, limit_bytes: int) -> bool:
        """Return whether the spool is smaller than a limit, and than the free space that it leaves on the disk."""
        return self._size < limit_bytes and self._size < shutil.disk_usage(self._folder).free

    def append(self, messages_by_station: Sequence[tuple[str, Sequence[ReceivedMessage]]]) -> None:
        """Append messages and make them durable.

        Raises:
            OSError: the disk is full or broken; the messages count as not appended.
        """
        with self._lock:
            written: list[SegmentWriter] = []
            created = False
            for station, messages in messages_by_station:
                queue = self._queues.get(station) or _Queue()
                if queue.writer is None:
                    queue.writer = self._new_segment(station, queue)
                    created = True
                before = queue.writer.size
                self._queues[station] = queue
                queue.writer.append(messages)
                self._size += queue.writer.size - before
                written.append(queue.writer)
            for writer in written:
                writer.sync()
            if created:
                sync_folder(self._folder)
            for station, _ in messages_by_station:
                queue = self._queues[station]
                if queue.writer and queue.writer.size >= _SEGMENT_BYTES:
                    queue.writer.close()
                    queue.writer = None

    def take(self, station: str, messages: int, size: int) -> list[ReceivedMessage]:
        """Return the next messages of a station, at least one if there is one; see ``forget``.

        Messages of one file are returned at a time, so that the file can be deleted once they are processed.
        """
        with self._lock:
            queue = self._queues.get(station)
            if queue is None:
                return []
            found: list[ReceivedMessage] = []
            if queue.reader is None:
                queue.reader = SegmentReader(queue.paths[0])
            while len(found) < messages and size > 0 and (message := queue.reader.next()) is not None:
                found.append(message)
                size -= len(message.payload)
            return found

    def forget(self, station: str) -> None:
        """Delete the oldest file of a station after ``take`` returned no more of it and all of it is durable."""
        with self._lock:
            queue = self._queues.get(station)
            if queue is None or queue.reader is None or not queue.reader.at_end:
                return
            path = queue.paths.popleft()
            queue.reader.close()
            queue.reader = None
            if not queue.paths:
                if queue.writer:
                    queue.writer.close()
                del self._queues[station]
            self._size -= path.stat().st_size
            path.unlink()

    def close(self) -> None:
        """Close all files; they are read again at the next start."""
        with self._lock:
            for queue in self._queues.values():
                for file in (queue.reader, queue.writer):
                    if file:
                        file.close()
        self._folder_lock.release()

    def _new_segment(self, station: str, queue: _Queue) -> SegmentWriter:
        self._number += 1
        path = self._folder / f"{self._number:012}-{station.encode(errors='replace').hex()}.spool"
        writer = SegmentWriter(path)
        queue.paths.append(path)
        return writer


def _take_over(folder: Path) -> None:
    """Move the files of all unlocked folders beside a folder into the folder."""
    for other in sorted(folder.parent.iterdir()):
        lock = FolderLock(other)
        if other == folder or not other.is_dir() or not any(other.glob("*.spool")) or not lock.acquire():
            continue
        try:
            names = [found for one in folder.iterdir() if (found := _NAME.fullmatch(one.name))]
            last = max((int(found["number"]) for found in names), default=0)
            for number, path in enumerate(sorted(other.glob("*.spool")), last + 1):
                path.rename(folder / f"{number:012}-{path.name.partition('-')[2]}")
            sync_folder(folder)
        finally:
            lock.release()
