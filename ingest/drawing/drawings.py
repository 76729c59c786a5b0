"""Drawings of thumbnails and clips: from the folder of drawings, else by a drawing process, each at most once."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from captures.decoded import Unreadable
from captures.sent_media import check_sent
from contract import Box, Span
from ingest.drawing.cache import DrawnCache
from ingest.drawing.processes import CannotDraw, DrawingBusy, DrawingProcesses
from ingest.drawing.tasks import BlurredPicture, Request, Spectrogram, Task, name_of

__all__ = ["CannotDraw", "DrawingBusy", "Drawings"]


class Drawings:
    """Draws once whatever is asked for at the same time or later, however often; what failed is not tried again."""

    def __init__(self, folder: Path | None, processes: DrawingProcesses | None = None, waiting: int = 24) -> None:
        """Use a folder for finished drawings; processes are started when something is drawn.

        Args:
            folder: Folder of finished drawings; several processes may share it. None: drawings are not stored.
            processes: What draws.
            waiting: Most callers at a time whose drawing is not finished; further ones get ``DrawingBusy``.
        """
        self._cache = DrawnCache(folder) if folder else None
        self._processes = processes or DrawingProcesses()
        self._places = threading.BoundedSemaphore(waiting)
        self._lock = threading.Lock()  # guards the field below
        self._under_way: dict[str, Future[bytes]] = {}

    def spectrogram(self, sha256: str, read: Callable[[], bytes], spans: tuple[Span, ...]) -> bytes:
        """Return the spectrogram of a clip as a PNG, with a frame around each span.

        Args:
            sha256: SHA-256 of the clip.
            read: Returns the clip; called only if the drawing is not stored.
            spans: Detections in the clip.

        Raises:
            CannotDraw: the clip cannot be drawn; the message gives the reason.
            DrawingBusy: too many callers wait for drawings, or no process can be started.
            MediaMissing, StoreUnavailable, OSError: raised by ``read``.
        """
        return self._drawn(Spectrogram(spans), sha256, read)

    def blurred(self, sha256: str, read: Callable[[], bytes], people: tuple[Box | None, ...]) -> bytes:
        """Return a thumbnail as a JPEG with blurred people; arguments and errors as in ``spectrogram``."""
        return self._drawn(BlurredPicture(people), sha256, read)

    def close(self) -> None:
        """End the drawing processes."""
        self._processes.close()

    def _drawn(self, task: Task, sha256: str, read: Callable[[], bytes]) -> bytes:
        name = name_of(task, sha256)
        if (stored := self._stored(task, name, sha256)) is not None:
            return stored
        if not self._places.acquire(blocking=False):
            raise DrawingBusy("too many drawings are waiting")
        try:
            return self._drawn_once(task, name, sha256, read)
        finally:
            self._places.release()

    def _drawn_once(self, task: Task, name: str, sha256: str, read: Callable[[], bytes]) -> bytes:
        with self._lock:
            drawing = self._under_way.get(name)
            first = drawing is None
            if drawing is None:
                drawing = self._under_way[name] = Future()
        if first:
            try:
                drawing.set_result(self._draw(task, name, sha256, read))
            except BaseException as error:
                drawing.set_exception(error)
                raise
            finally:
                with self._lock:
                    del self._under_way[name]
        return drawing.result()

    def _stored(self, task: Task, name: str, sha256: str) -> bytes | None:
        if self._cache is None:
            return None
        if (stored := self._cache.drawing(name)) is not None:
            return stored
        if (reason := self._cache.refusal(_refused(task, sha256))) is not None:
            raise CannotDraw(reason)
        return None

    def _draw(self, task: Task, name: str, sha256: str, read: Callable[[], bytes]) -> bytes:
        if (stored := self._stored(task, name, sha256)) is not None:  # it was finished in the meantime
            return stored
        data = read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CannotDraw(f"{len(data)} bytes that do not have the hash {sha256}: the stored file is damaged")
        try:
            check_sent(data)
        except Unreadable as error:
            raise CannotDraw(str(error)) from error
        try:
            drawn = self._processes.draw(Request(task, data))
        except CannotDraw as error:
            if self._cache:
                self._cache.refuse(_refused(task, sha256), str(error))
            raise
        if self._cache:
            self._cache.keep(name, drawn)
        return drawn


def _refused(task: Task, sha256: str) -> str:
    """Return the name under which a refusal is remembered: of the content, whatever is marked in it."""
    return f"{sha256}-{type(task).__name__.lower()}"
