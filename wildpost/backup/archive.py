"""The file format of a backup: a tar file whose last entry is a manifest with the hash of every other entry.

The tar file is encrypted in the age format, unless the operator asks for a plain file. Any tar program can read it. The
order of the entries: HEADER, the data, MANIFEST with a line for each entry and a last line of totals. A truncated
archive therefore has no complete manifest and is refused.
"""

import hashlib
import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import IO, cast

import msgspec

from contract.durable_file import sync_folder
from wildpost.backup.encryption import encrypting

FORMAT = 2  # 2: with the identity of the installation
HEADER = "wildpost-backup.json"
MANIFEST = "manifest.jsonl"
CASEBOOK = "casebook.sqlite"
DETECTIONS = "detections.duckdb"
WORKERS = "workers.json"
MAX_FILES = 10_000  # without media; settings and the folder of a broker with thousands of stations
_FOLDERS = ("settings", "broker")
_MAX_NAME_BYTES, _MAX_PART_BYTES = 4000, 255  # of a path, and of a file name on Linux


class BackupHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Header of a backup archive: the content of the archive's first entry, in JSON.

    Attributes:
        format: Version of the archive format.
        wildpost: Version of Wildpost that made the backup.
        made_at: Time of the snapshot, UTC.
        settings: Name of the settings file under ``settings/``; "": no settings file was given.
        from_files: Original paths of settings and other files, by their name in the archive.
    """

    format: int
    wildpost: str
    made_at: str
    settings: str = ""
    from_files: dict[str, str] = {}


class ManifestEntry(msgspec.Struct, frozen=True):
    """Name, size and SHA-256 hash of one archive entry: one line of the manifest."""

    name: str
    bytes: int
    sha256: str


class BackupTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of entries, media files and database rows in a backup archive, stored as the last line of its manifest.

    Attributes:
        entries: Number of entries before the manifest.
        media: Number of media among them.
        media_named: Number of media that the casebook refers to.
        media_missing: Number of these that were missing when the backup was made.
        media_damaged: Media that were left out because their content does not match the hash in their name.
        rows: Number of rows in each table of each database.
    """

    entries: int
    media: int
    media_named: int
    media_missing: int
    media_damaged: tuple[str, ...]
    rows: dict[str, dict[str, int]]


class ArchiveWriter:
    """Writes the entries of a backup archive one by one; created by ``create_archive``."""

    def __init__(self, tar: tarfile.TarFile, lines: IO[bytes]) -> None:
        self._tar = tar
        self._lines = lines
        self.entries = 0

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add an archive entry whose content is ``data``."""
        self._add(name, io.BytesIO(data), len(data))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file to the archive.

        No process may write to the file during this call.

        Raises:
            OSError: the file cannot be read, or became shorter while it was read.
        """
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def finish(self, totals: BackupTotals) -> None:
        """Write the manifest as the last entry of the archive."""
        self._lines.write(msgspec.json.encode(totals) + b"\n")
        size = self._lines.tell()
        self._lines.seek(0)
        self._tar.addfile(_member(MANIFEST, size), self._lines)

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        hashing = _HashingReader(file)
        self._tar.addfile(_member(name, size), cast(IO[bytes], hashing))
        self._tar.members = []  # type: ignore[attr-defined]  # limits memory with a million media
        self._lines.write(msgspec.json.encode(ManifestEntry(name, size, hashing.sha256.hexdigest())) + b"\n")
        self.entries += 1


@contextmanager
def create_archive(path: Path, recipients: Sequence[str] = ()) -> Iterator[ArchiveWriter]:
    """Write a backup archive to a temporary file and rename the finished file to ``path``.

    The file is synced to disk before it is renamed.

    Args:
        path: The file to write, which must not exist.
        recipients: Public keys to encrypt the archive for; none: a plain tar file.

    Raises:
        KeyProblem: a recipient is not a public key.
        OSError: the file already exists or cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"{path}: already exists; a backup does not overwrite files")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # readable by its owner only
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with (
                encrypting(file, recipients) if recipients else nullcontext(file) as target,
                _writer(target, path.parent) as writer,
            ):
                yield writer
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def _writer(target: IO[bytes], folder: Path) -> Iterator[ArchiveWriter]:
    with (
        tempfile.TemporaryFile(dir=folder) as lines,  # beside the archive: the system's own folder may be small
        tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar,  # w|: the target cannot seek
    ):
        yield ArchiveWriter(tar, lines)


class _HashingReader:
    """File reader that computes the SHA-256 hash of the data it reads."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def is_file_name(name: str) -> bool:
    """Return whether a name is a plain relative path below ``settings/`` or ``broker/``, which restore accepts."""
    path = PurePosixPath(name)
    try:
        encoded = name.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return False
    return (
        len(path.parts) > 1
        and path.parts[0] in _FOLDERS
        and ".." not in path.parts
        and str(path) == name  # neither "//" nor "."
        and not re.search(r"[\x00-\x1f\x7f]", name)
        and len(encoded) <= _MAX_NAME_BYTES
        and all(len(part.encode()) <= _MAX_PART_BYTES for part in path.parts)
    )


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member
