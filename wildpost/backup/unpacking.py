"""Unpacks a backup archive and compares every entry with the manifest at the end of the archive."""

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from contract.private_files import make_private_folder, private_opener
from wildpost.backup.archive import (
    CASEBOOK,
    DETECTIONS,
    FORMAT,
    HEADER,
    MANIFEST,
    MAX_FILES,
    WORKERS,
    BackupHeader,
    BackupTotals,
    ManifestEntry,
    is_file_name,
)
from wildpost.backup.encryption import decrypting, is_encrypted
from wildpost.backup.errors import BadArchive, KeyProblem
from wildpost.backup.tar_reader import TarEntry, TarReader
from wildpost.settings.installation import FILE as INSTALLATION

_FILES = (CASEBOOK, DETECTIONS, INSTALLATION, WORKERS)
_MEDIA = re.compile(r"media/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_MAX_HEADER_BYTES = 1 << 20
_MAX_LINE_BYTES = 1 << 26  # the last line of the manifest names all damaged media; a million names have 67 MB


def read_header(path: Path, identities: Sequence[Any] = ()) -> BackupHeader:
    """Read the header of a backup archive from the first entry of the archive.

    Raises:
        BadArchive: the file is not a backup, or has a newer format.
        KeyProblem: it is encrypted, and none of the identities can decrypt it.
        OSError: the file cannot be read.
    """
    with _open(path, identities) as tar:
        return _header(path, tar)[0]


def unpack(
    path: Path, folder: Path, identities: Sequence[Any] = (), keep: Callable[[str], bool] = lambda name: True
) -> tuple[BackupHeader, BackupTotals]:
    """Unpack the entries of a backup archive into a folder and compare each entry with the manifest.

    Entries together are not larger than the archive, since nothing in it is compressed or sparse.

    Args:
        path: The archive.
        folder: An empty folder; its content must be discarded if this raises.
        identities: Private keys for an encrypted archive.
        keep: Which entries to write to the folder; the others are read and compared too.

    Raises:
        BadArchive: the archive is incomplete or damaged.
        KeyProblem: it is encrypted, and none of the identities can decrypt it.
        OSError: the archive cannot be read, or the disk is full.
    """
    with (
        _open(path, identities) as tar,
        tempfile.TemporaryFile(dir=folder) as found,
        tempfile.TemporaryFile(dir=folder) as manifest,
    ):
        header, first = _header(path, tar)
        found.write(_line(HEADER, len(first), hashlib.sha256(first).hexdigest()))
        names = _Names(path)
        while (entry := _next(path, tar, names.last)).name != MANIFEST:
            names.check(entry)
            digest = _write_out(path, tar, entry, folder if keep(entry.name) else None)
            found.write(_line(entry.name, entry.size, digest))
        _copy(tar, manifest)
        tar.finish()
        return header, _compare(path, found, manifest)


@contextmanager
def _open(path: Path, identities: Sequence[Any]) -> Iterator[TarReader]:
    size = path.stat().st_size  # encryption adds bytes, so this is an upper limit of the decrypted size too
    if not is_encrypted(path):
        with path.open("rb") as file:
            yield TarReader(file, str(path), size)
        return
    if not identities:
        raise KeyProblem(f"{path}: encrypted; name the file of the private key with --identity FILE")
    with decrypting(path, identities) as decrypted:
        yield TarReader(decrypted, str(path), size)


def _header(path: Path, tar: TarReader) -> tuple[BackupHeader, bytes]:
    entry = tar.next()
    if entry is None or entry.name != HEADER or entry.size > _MAX_HEADER_BYTES:
        raise BadArchive(f"{path}: not a backup of Wildpost: {HEADER} is not its first entry")
    first = b"".join(iter(tar.read, b""))
    try:
        header = msgspec.json.decode(first, type=BackupHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path}: {HEADER} is damaged: {error}") from error
    if header.format > FORMAT:
        raise BadArchive(
            f"{path}: a backup of format {header.format}, made by Wildpost {header.wildpost}; "
            f"this version reads formats up to {FORMAT}: use the newer Wildpost"
        )
    return header, first


def _line(name: str, size: int, sha256: str) -> bytes:
    return msgspec.json.encode(ManifestEntry(name, size, sha256)) + b"\n"


def _next(path: Path, tar: TarReader, last: str) -> TarEntry:
    if (entry := tar.next()) is None:
        raise BadArchive(f"{path}: ends after {last} without its {MANIFEST}: it is truncated or damaged there")
    return entry


class _Names:
    """Names of the entries read so far, which checks the name of the next entry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: set[str] = set()
        self._last_media = ""  # media are sorted, so a million names need not be remembered
        self.last = HEADER

    def check(self, entry: TarEntry) -> None:
        """Check that an entry belongs to a backup, is new, and cannot be written outside the target folder.

        Raises:
            BadArchive: it does not.
        """
        name = entry.name
        if media := _MEDIA.fullmatch(name):
            known, new = True, media[2] > self._last_media
            self._last_media = media[2]
        else:
            known, new = name in _FILES or is_file_name(name), name not in self._files
            self._files.add(name)
        if not known:
            raise self._bad(name, "is not part of a backup")
        if not new:
            raise self._bad(name, "is there twice, or out of order")
        if len(self._files) > MAX_FILES:
            raise self._bad(name, f"is beyond the {MAX_FILES} files that a backup has without media")
        self.last = name

    def _bad(self, name: str, fault: str) -> BadArchive:
        return BadArchive(f"{self._path}: entry {name[:200]!r} after {self.last} {fault}: it is damaged")


def _write_out(path: Path, tar: TarReader, entry: TarEntry, folder: Path | None) -> str:
    if folder is None:
        digest = _copy(tar, None)
    else:
        place = folder / entry.name
        try:
            make_private_folder(place.parent)
            file = open(place, "xb", opener=private_opener)  # noqa: SIM115, closed below
        except (FileExistsError, NotADirectoryError) as error:
            raise BadArchive(f"{path}: {entry.name} is both a file and a folder: it is damaged") from error
        with file:
            digest = _copy(tar, file)
    if entry.name.startswith("media/") and digest != PurePosixPath(entry.name).name:
        raise BadArchive(f"{path}: {entry.name} is damaged: its content has sha256 {digest}")
    return digest


def _copy(tar: TarReader, target: IO[bytes] | None) -> str:
    digest = hashlib.sha256()
    while data := tar.read():
        digest.update(data)
        if target is not None:
            target.write(data)
    return digest.hexdigest()


def _compare(path: Path, found: IO[bytes], manifest: IO[bytes]) -> BackupTotals:
    """Compare the unpacked entries with the manifest line by line, and return the totals in its last line."""
    found.seek(0)
    manifest.seek(0)
    entries = 0
    for line in found:
        entry = msgspec.json.decode(line, type=ManifestEntry)
        expected = manifest.readline(len(line))
        if expected != line:
            raise BadArchive(
                f"{path}: {entry.name} has {entry.bytes} bytes with sha256 {entry.sha256}; "
                f"the manifest has {expected[:300].decode(errors='replace').strip() or 'nothing'}: it is damaged"
            )
        entries += 1
    try:
        totals = msgspec.json.decode(manifest.readline(_MAX_LINE_BYTES), type=BackupTotals)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path}: the last line of its manifest is not valid: it is damaged: {error}") from error
    if totals.entries != entries or manifest.read(1):
        raise BadArchive(f"{path}: contains {entries} entries instead of {totals.entries}: it is damaged")
    return totals
