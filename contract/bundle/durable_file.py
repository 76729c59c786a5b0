"""Writing of files that appear under their name only when they are complete, even after a power failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from contract.private_files import private_opener

PARTIAL = ".part"


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
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Flush a folder to disk, so that a rename in it survives a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
