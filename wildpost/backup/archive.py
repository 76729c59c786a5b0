"""The file of a backup: a plain tar whose last entry says what all the others must be.

Any program that knows tar reads it. The entries come in this order: ABOUT, what is kept, MANIFEST with a line for each
entry and a last one of totals; so an archive that is cut anywhere has no manifest, and is refused.
"""

import hashlib
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from contract.errors import WildpostError

FORMAT = 1
ABOUT = "wildpost-backup.json"
MANIFEST = "manifest.jsonl"
CASEBOOK = "casebook.sqlite"
DETECTIONS = "detections.duckdb"
WORKERS = "workers.json"


class BadArchive(WildpostError):
    """This is no whole backup; the message names the file, the entry and what is wrong with it."""


class BackupHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry.

    Attributes:
        format: Of the archive.
        wildpost: Version that made it.
        made_at: When its moment was, UTC.
        settings: Name of the settings file under ``settings/``; empty: none was named.
        from_files: Where settings and other files were, by their name here.
    """

    format: int
    wildpost: str
    made_at: str
    settings: str = ""
    from_files: dict[str, str] = {}


class ManifestEntry(msgspec.Struct, frozen=True):
    """One line of the manifest."""

    name: str
    bytes: int
    sha256: str


class BackupTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of the manifest.

    Attributes:
        entries: How many entries there are before the manifest.
        media: How many of them are media.
        media_named: How many media the casebook names.
        media_missing: How many of these are not here: they were not there when the backup was made.
        media_damaged: Media left out because their content was no longer what their name says.
        rows: In each table of each database.
    """

    entries: int
    media: int
    media_named: int
    media_missing: int
    media_damaged: tuple[str, ...]
    rows: dict[str, dict[str, int]]


class ArchiveWriter:
    """Writes an archive entry by entry; ``writing`` makes one."""

    def __init__(self, tar: tarfile.TarFile, lines: IO[bytes]) -> None:
        self._tar = tar
        self._lines = lines
        self.entries = 0

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add what is in memory."""
        self._add(name, io.BytesIO(data), len(data))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file that nobody is writing.

        Raises:
            OSError: it cannot be read, or it grew shorter meanwhile.
        """
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def finish(self, totals: BackupTotals) -> None:
        """Write the manifest."""
        self._lines.write(msgspec.json.encode(totals) + b"\n")
        size = self._lines.tell()
        self._lines.seek(0)
        self._tar.addfile(_member(MANIFEST, size), self._lines)

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        hashing = _Hashing(file)
        self._tar.addfile(_member(name, size), cast(IO[bytes], hashing))
        self._tar.members = []  # type: ignore[attr-defined]  # a million media are not to stay in memory
        self._lines.write(msgspec.json.encode(ManifestEntry(name, size, hashing.sha256.hexdigest())) + b"\n")
        self.entries += 1


@contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    """Write an archive: it is there under its name when it is whole and on the disk, and not before.

    Raises:
        OSError: there is such a file already, or it cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"{path}: is there already; a backup overwrites nothing")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # nobody else may read it
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, tempfile.TemporaryFile() as lines:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar, lines)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
