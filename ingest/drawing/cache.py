"""Folder of drawings that are drawn once, with a limited size; the drawings used longest ago are deleted first."""

import contextlib
import logging
import os
import tempfile
import threading
from pathlib import Path

from contract.private_files import make_private_folder

LOG = logging.getLogger("wildpost.drawing")
LIMIT_BYTES = 256_000_000  # about 1,000 spectrograms or 3,000 pictures
_BLOCK_BYTES = 4_096  # the least that a file takes
_REFUSED = ".refused"


class DrawnCache:
    """Drawings and reasons for refusals, by name, in files that only the server's user can read.

    Several processes may share the folder. A file that cannot be written is drawn anew next time.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """Use a folder, which is created with the first drawing."""
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()  # guards the field below, and the deletion of old files
        self._until_check = 0  # bytes that may be written before the folder is measured again

    def drawing(self, name: str) -> bytes | None:
        """Return a stored drawing and mark it as used; None if there is none."""
        return self._read(self._folder / name)

    def refusal(self, name: str) -> str | None:
        """Return why a drawing was refused; None if it was not, or was forgotten."""
        reason = self._read(self._folder / f"{name}{_REFUSED}")
        return None if reason is None else reason.decode(errors="replace")

    def keep(self, name: str, drawing: bytes) -> None:
        """Store a drawing."""
        self._write(self._folder / name, drawing)

    def refuse(self, name: str, reason: str) -> None:
        """Remember that content cannot be drawn, so that it is not tried again."""
        self._write(self._folder / f"{name}{_REFUSED}", reason.encode(errors="replace"))

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
            os.utime(path)  # access times of a file system are often switched off
        except OSError:
            return None
        return data

    def _write(self, path: Path, data: bytes) -> None:
        try:
            make_private_folder(self._folder)
            handle, name = tempfile.mkstemp(prefix=".", dir=self._folder)  # readable by its owner only
            partial = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        except OSError as error:
            LOG.warning("%s: a drawing is not stored: %s", self._folder, error.strerror or error)
        self._delete_oldest(len(data))

    def _delete_oldest(self, written: int) -> None:
        with self._lock:
            self._until_check -= max(written, _BLOCK_BYTES)
            if self._until_check > 0:
                return
            files = self._measured()
            total = sum(size for _, size, _ in files)
            for _, size, path in files:
                if total <= self._limit * 9 // 10:
                    break
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                total -= size
            # Other processes write too: each may write a twentieth of the limit before it measures again.
            self._until_check = self._limit // 20

    def _measured(self) -> list[tuple[float, int, Path]]:
        files = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    files.append((status.st_mtime, max(status.st_size, _BLOCK_BYTES), Path(entry.path)))
        return sorted(files)
