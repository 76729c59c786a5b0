"""Creates files and folders that only their owner can read, whatever the umask, and restricts existing ones."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE_UMASK = 0o077
FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Create all files of this process for their owner only until the context ends.

    Libraries such as SQLite and DuckDB accept no mode for the files that they create.
    """
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def private_opener(path: str, flags: int) -> int:
    """Open a file and create it with mode 0600; pass this function to ``open`` as its ``opener``."""
    return os.open(path, flags, FILE_MODE)


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700; an existing folder keeps its mode.

    Raises:
        OSError: the folder cannot be created.
    """
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=FOLDER_MODE)
        folder.chmod(FOLDER_MODE)  # the umask may have removed rights of the owner
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))


def create_private_file(path: Path) -> None:
    """Create an empty file with mode 0600 for a database, if there is no such file.

    SQLite gives its write-ahead log the mode of the database file. If the file cannot be created, this does nothing:
    the database reports the same failure when it opens the file.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, FILE_MODE))


def restrict(path: Path, levels: int = 2) -> list[Path]:
    """Remove the rights of group and others from a file, or from a folder and the files in it.

    Not changed: symbolic links, files with a second hard link, and files of other users.

    Args:
        path: The file or folder.
        levels: Levels of folders that are searched even if only their owner can enter them; all others are searched.

    Returns:
        The files and folders whose mode was changed.

    Raises:
        OSError: a folder cannot be read, or a mode cannot be changed.
    """
    return list(_restricted(path, levels))


def _restricted(path: Path, levels: int) -> Iterator[Path]:
    try:
        found = path.lstat()
    except FileNotFoundError:  # a temporary file of a running process
        return
    is_folder = stat.S_ISDIR(found.st_mode)
    changeable = os.geteuid() in (0, found.st_uid) and not stat.S_ISLNK(found.st_mode)
    if not changeable or not (is_folder or found.st_nlink == 1):
        return
    wide = bool(found.st_mode & _OTHERS)
    if is_folder and (wide or levels > 0):
        for child in sorted(path.iterdir()):
            yield from _restricted(child, levels - 1)
    if wide:  # a folder after its content, so that an interrupted search is complete after the next start
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        yield path
