"""Parts of open files: read by their position, or as files of their own."""

import os
from typing import BinaryIO

_LAST_POSITION = 2**62


class ByteRange:
    """A part of an open file, behind a header of the caller's, as a binary file that can be read and searched."""

    def __init__(self, descriptor: int, start: int, end: int, header: bytes = b"") -> None:
        """Show the bytes from ``start`` to ``end`` of the file ``descriptor``, after ``header``."""
        self._descriptor = descriptor
        self._start = start
        self._header = header
        self._size = len(header) + end - start
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, or all that follow; fewer only at the end.

        Raises:
            OSError: the file cannot be read.
        """
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        data = self._header[self._at : self._at + wanted]
        if len(data) < wanted:
            at = self._start + self._at + len(data) - len(self._header)
            data += read_at(self._descriptor, at, wanted - len(data))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, as ``io.IOBase.seek``."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at


def read_at(descriptor: int, at: int, size: int) -> bytes:
    """Return ``size`` bytes from a position of an open file; fewer only at its end, none outside the file.

    Raises:
        OSError: the file cannot be read.
    """
    if not 0 <= at <= _LAST_POSITION:  # a header can name any
        return b""
    data = os.pread(descriptor, size, at)
    while 0 < len(data) < size:
        more = os.pread(descriptor, size - len(data), at + len(data))
        if not more:
            break
        data += more
    return data


def read_part(file: BinaryIO, at: int, size: int) -> bytes:
    """Return ``size`` bytes from a position of a file object, whose position changes; fewer only at its end.

    Raises:
        OSError: the file cannot be read.
    """
    file.seek(at)
    return file.read(max(0, size))
