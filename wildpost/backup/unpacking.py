"""Unpacks a backup archive and compares every entry with the manifest at the end of the archive."""

import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from wildpost.backup.archive import (
    CASEBOOK,
    DETECTIONS,
    FORMAT,
    HEADER,
    MANIFEST,
    WORKERS,
    BackupHeader,
    BackupTotals,
    BadArchive,
    ManifestEntry,
)

_FILES = (CASEBOOK, DETECTIONS, WORKERS)
_FOLDERS = ("settings", "broker")
_CHUNK_BYTES = 1 << 20


def read_header(path: Path) -> BackupHeader:
    """Read the header of a backup archive from the first entry of the archive.

    Raises:
        BadArchive: the file is not a backup, or has a newer format.
        OSError: the file cannot be read.
    """
    with _open(path) as tar:
        return _header(path, tar)[0]


def unpack(
    path: Path, folder: Path, keep: Callable[[str], bool] = lambda name: True
) -> tuple[BackupHeader, BackupTotals]:
    """Unpack the entries of a backup archive into a folder and compare each entry with the manifest.

    Args:
        path: The archive.
        folder: An empty folder; its content must be discarded if this raises.
        keep: Which entries to write to the folder; the others are read and compared too.

    Raises:
        BadArchive: the archive is incomplete or damaged.
        OSError: the archive cannot be read, or the disk is full.
    """
    with _open(path) as tar, tempfile.TemporaryFile() as found, tempfile.TemporaryFile() as manifest:
        header, first = _header(path, tar)
        found.write(_line(HEADER, len(first), hashlib.sha256(first).hexdigest()))
        last = HEADER
        while (member := _next(path, tar, last)).name != MANIFEST:
            _check_name(path, member, last)
            digest = _write_out(path, tar, member, folder if keep(member.name) else None)
            found.write(_line(member.name, member.size, digest))
            last = member.name
        _copy(path, tar, member, manifest)
        return header, _compare(path, found, manifest)


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise BadArchive(f"{path}: not a backup of Wildpost, or damaged: {error}") from error


def _header(path: Path, tar: tarfile.TarFile) -> tuple[BackupHeader, bytes]:
    member = tar.next()
    file = tar.extractfile(member) if member is not None and member.name == HEADER else None
    if file is None:
        raise BadArchive(f"{path}: not a backup of Wildpost: {HEADER} is not its first entry")
    try:
        first = file.read(_CHUNK_BYTES)
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


def _next(path: Path, tar: tarfile.TarFile, last: str) -> tarfile.TarInfo:
    try:
        member = tar.next()
    except tarfile.TarError as error:
        raise BadArchive(f"{path}: damaged after {last}: {error}") from error
    if member is None:
        raise BadArchive(f"{path}: ends after {last} without its {MANIFEST}: it is truncated or damaged there")
    tar.members = []  # type: ignore[attr-defined]  # limits memory with a million media
    return member


def _check_name(path: Path, member: tarfile.TarInfo, last: str) -> None:
    """Check that an archive entry belongs to a backup and cannot be written outside the target folder.

    Raises:
        BadArchive: it does not.
    """
    name = PurePosixPath(member.name)
    known = (
        member.name in _FILES
        or re.fullmatch(r"media/([0-9a-f]{2})/\1[0-9a-f]{62}", member.name)
        or (len(name.parts) > 1 and name.parts[0] in _FOLDERS and ".." not in name.parts and "\0" not in member.name)
    )
    if not known or not member.isreg():
        raise BadArchive(f"{path}: entry {member.name[:200]!r} after {last} is not part of a backup: it is damaged")


def _write_out(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path | None) -> str:
    if folder is None:
        digest = _copy(path, tar, member, None)
    else:
        place = folder / member.name
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            digest = _copy(path, tar, member, file)
    if member.name.startswith("media/") and digest != PurePosixPath(member.name).name:
        raise BadArchive(f"{path}: {member.name} is damaged: its content has sha256 {digest}")
    return digest


def _copy(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, target: IO[bytes] | None) -> str:
    source = tar.extractfile(member)
    assert source is not None, member  # noqa: S101, a regular file has content
    digest, left = hashlib.sha256(), member.size
    while left:
        try:
            data = source.read(min(left, _CHUNK_BYTES))
        except tarfile.TarError:
            data = b""
        if not data:
            raise BadArchive(f"{path}: truncated in {member.name}: {left} of its {member.size} bytes are missing")
        digest.update(data)
        left -= len(data)
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
        expected = manifest.readline()
        if expected != line:
            raise BadArchive(
                f"{path}: {entry.name} has {entry.bytes} bytes with sha256 {entry.sha256}; "
                f"the manifest has {expected[:300].decode(errors='replace').strip() or 'nothing'}: it is damaged"
            )
        entries += 1
    try:
        totals = msgspec.json.decode(manifest.readline(), type=BackupTotals)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path}: the last line of its manifest is not valid: it is damaged: {error}") from error
    if totals.entries != entries:
        raise BadArchive(f"{path}: contains {entries} entries instead of {totals.entries}: it is damaged")
    return totals
