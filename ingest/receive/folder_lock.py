"""Lock on a folder of bundles or held back messages, so that only one process uses its files."""

import fcntl
import os
from pathlib import Path

from contract.private_files import make_private_folder


class FolderLock:
    """Exclusive lock on a folder, which the operating system releases even if the process is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> bool:
        """Create the folder if it is missing, and lock it; return False if another process holds the lock.

        Raises:
            OSError: the folder cannot be created or opened.
        """
        if self._handle is not None and self._same_folder(self._handle):
            return True
        self.release()
        make_private_folder(self._folder)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def _same_folder(self, handle: int) -> bool:
        """Return whether the locked folder is still the folder at the lock's path."""
        try:
            return os.path.samestat(os.fstat(handle), self._folder.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Release the lock if it is held; idempotent."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
