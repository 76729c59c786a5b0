"""Reader of bundles that may be truncated, damaged or malicious."""

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from contract.bundle.documents import (
    MAX_DOCUMENT_BYTES,
    BundleEntry,
    BundleUnreadable,
    Manifest,
    decode_document,
    message_sha256,
)
from contract.bundle.writer import BLOCK_BYTES, MANIFEST, padded
from contract.codec import LIMIT_BYTES, Reason

_MAX_PAYLOAD_BYTES = max(LIMIT_BYTES.values())


@dataclass(frozen=True, slots=True)
class EntryRead:
    """Result of reading one entry of a bundle: the payload, and the reason if it cannot be used.

    Attributes:
        entry: The entry in the manifest.
        payload: Bytes that were read; they are the message's payload if ``reason`` is None.
        reason: Category of the reason why the entry cannot be used, or None.
        detail: The reason in words.
        missing: Whether the file ends before the end of the entry.
    """

    entry: BundleEntry
    payload: bytes
    reason: Reason | None = None
    detail: str = ""
    missing: bool = False


class BundleReader:
    """An open bundle; a context manager.

    Nothing is unpacked and no name in the file is used as a path. Nothing is compressed, so that no more is read than
    the file has bytes, and of those at most 32 MB at once.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and read its manifest.

        Raises:
            BundleUnreadable: it is not a regular file, or its manifest is missing, damaged, too large or of a later
                version.
            OSError: it cannot be opened or read.
        """
        self._file = _open_regular(path)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self.manifest, self._start = self._read_manifest(path.name)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def truncated(self) -> bool:
        """Whether the file is too short to contain all entries of its manifest."""
        return self.size < self._start + sum(BLOCK_BYTES + padded(entry.size) for entry in self.manifest.entries)

    def entries(self) -> Iterator[EntryRead]:
        """Yield the entries in the manifest's order, each with its payload checked against the manifest.

        Raises:
            OSError: the medium cannot be read.
        """
        position = self._start
        for entry in self.manifest.entries:
            position += BLOCK_BYTES
            yield self._read(entry, position)
            position += padded(entry.size)

    def _read(self, entry: BundleEntry, position: int) -> EntryRead:
        if entry.size > _MAX_PAYLOAD_BYTES:
            return EntryRead(entry, b"", "size", f"{entry.size} bytes; expected at most {_MAX_PAYLOAD_BYTES}")
        if position > self.size or (position == self.size and entry.size):
            return EntryRead(entry, b"", "size", "the file ends before it", missing=True)
        self._file.seek(position)
        payload = self._file.read(entry.size)
        if len(payload) < entry.size:
            detail = f"the file ends after {len(payload)} of its {entry.size} bytes"
            return EntryRead(entry, payload, "size", detail, missing=True)
        if message_sha256(entry.topic, payload) != entry.sha256:
            return EntryRead(entry, payload, "hash", "topic and payload do not have the sha256 that the manifest names")
        return EntryRead(entry, payload)

    def _read_manifest(self, name: str) -> tuple[Manifest, int]:
        try:
            header = tarfile.TarInfo.frombuf(self._file.read(BLOCK_BYTES), "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise BundleUnreadable(f"{name}: not a tar archive, or its beginning is damaged: {error}") from error
        if header.name != MANIFEST or not header.isreg():
            raise BundleUnreadable(f"{name}: begins with {header.name[:100]!r}; expected {MANIFEST}")
        if not 0 <= header.size <= MAX_DOCUMENT_BYTES:
            raise BundleUnreadable(f"{name}: manifest of {header.size} bytes; expected at most {MAX_DOCUMENT_BYTES}")
        document = self._file.read(header.size)
        if len(document) < header.size:
            raise BundleUnreadable(f"{name}: the file ends within its manifest")
        try:
            return decode_document(document, Manifest), BLOCK_BYTES + padded(header.size)
        except BundleUnreadable as error:
            raise BundleUnreadable(f"{name}: {error}") from error


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; refuse a link, folder, device or pipe."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for its other end.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a symbolic link
            raise BundleUnreadable(f"{path.name}: not a regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleUnreadable(f"{path.name}: not a regular file")
    return os.fdopen(handle, "rb")
