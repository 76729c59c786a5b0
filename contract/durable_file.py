"""Writing of files that survive a power failure: one file at a time, or many with one flush of their file system."""

import ctypes
import errno
import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from contract.private_files import private_opener

PARTIAL = ".part"
_SYNCFS_REPORTS_ERRORS = (5, 8)  # the first Linux whose syncfs returns the errors of writing back (man 2 syncfs)


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file for a ``with`` block; after the block, flush it to disk and rename it to ``path``.

    Raises:
        OSError: it cannot be written; then nothing is left behind.
    """
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with open(partial, "wb", opener=private_opener) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that renames of files in the folder survive a power failure.

    Raises:
        OSError: the disk failed.
    """
    handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def files_synced(root: Path) -> Iterator[list[Path]]:
    """Flush to disk what a ``with`` block wrote below ``root``; the block appends the path of each file to the list.

    On Linux from 5.8 it is one ``syncfs`` however many files there are: the file system of ``root``, with data, names
    and folders. Elsewhere each file and each of their folders is flushed. An empty list is not flushed.

    Raises:
        OSError: the disk failed; what the block wrote may be lost.
    """
    files: list[Path] = []
    flush = file_system_flush()
    handle = os.open(root, os.O_RDONLY)  # before writing: syncfs returns the errors since its file was opened
    try:
        yield files
        if files and not (flush and flush(handle)):
            _sync_each(root, files)
    finally:
        os.close(handle)


def _sync_each(root: Path, files: list[Path]) -> None:
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for folder in {root, *(path.parent for path in files)}:
        sync_folder(folder)


@cache
def file_system_flush() -> Callable[[int], bool] | None:
    """Return a function that flushes the file system of an open file by ``syncfs``; None if this system has none.

    The function returns False if the system does not allow the call.
    """
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    if platform.system() != "Linux" or version is None:
        return None
    if (int(version[1]), int(version[2])) < _SYNCFS_REPORTS_ERRORS:
        return None
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:
        return None

    def flush(handle: int) -> bool:
        if syncfs(handle) == 0:
            return True
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EPERM):  # a container may filter the call
            return False
        raise OSError(number, f"syncfs: {os.strerror(number)}")

    return flush
