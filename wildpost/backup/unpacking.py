"""Reads a backup, and holds every byte of it to the manifest at its end."""

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
    ABOUT,
    CASEBOOK,
    DETECTIONS,
    FORMAT,
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


def read_about(path: Path) -> BackupHeader:
    """Read the first entry.

    Raises:
        BadArchive: it is no backup, or one of a later form.
        OSError: it cannot be read.
    """
    with _opened(path) as tar:
        return _about(path, tar)[0]


def unpack(
    path: Path, folder: Path, keep: Callable[[str], bool] = lambda name: True
) -> tuple[BackupHeader, BackupTotals]:
    """Write out the entries, and hold each of them to the manifest.

    Args:
        path: The archive.
        folder: Empty; what is in it when this raises is to be thrown away.
        keep: Which entries to write out; the others are read and compared all the same.

    Raises:
        BadArchive: it is not whole.
        OSError: it cannot be read, or there is no room.
    """
    with _opened(path) as tar, tempfile.TemporaryFile() as found, tempfile.TemporaryFile() as manifest:
        about, first = _about(path, tar)
        found.write(_line(ABOUT, len(first), hashlib.sha256(first).hexdigest()))
        last = ABOUT
        while (member := _next(path, tar, last)).name != MANIFEST:
            _check_name(path, member, last)
            digest = _write_out(path, tar, member, folder if keep(member.name) else None)
            found.write(_line(member.name, member.size, digest))
            last = member.name
        _copy(path, tar, member, manifest)
        return about, _compare(path, found, manifest)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise BadArchive(f"{path}: no backup of Wildpost, or damaged: {error}") from error


def _about(path: Path, tar: tarfile.TarFile) -> tuple[BackupHeader, bytes]:
    member = tar.next()
    file = tar.extractfile(member) if member is not None and member.name == ABOUT else None
    if file is None:
        raise BadArchive(f"{path}: no backup of Wildpost: {ABOUT} is not its first entry")
    try:
        first = file.read(_CHUNK_BYTES)
        about = msgspec.json.decode(first, type=BackupHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path}: {ABOUT} is damaged: {error}") from error
    if about.format > FORMAT:
        raise BadArchive(
            f"{path}: a backup of form {about.format}, made by Wildpost {about.wildpost}; "
            f"this one reads up to {FORMAT}: use the newer Wildpost"
        )
    return about, first


def _line(name: str, size: int, sha256: str) -> bytes:
    return msgspec.json.encode(ManifestEntry(name, size, sha256)) + b"\n"


def _next(path: Path, tar: tarfile.TarFile, last: str) -> tarfile.TarInfo:
    try:
        member = tar.next()
    except tarfile.TarError as error:
        raise BadArchive(f"{path}: damaged after {last}: {error}") from error
    if member is None:
        raise BadArchive(f"{path}: ends after {last} without its {MANIFEST}: it is cut or damaged there")
    tar.members = []  # type: ignore[attr-defined]  # a million media are not to stay in memory
    return member


def _check_name(path: Path, member: tarfile.TarInfo, last: str) -> None:
    """Let through what a backup holds, and nothing that could be written elsewhere."""
    name = PurePosixPath(member.name)
    known = (
        member.name in _FILES
        or re.fullmatch(r"media/([0-9a-f]{2})/\1[0-9a-f]{62}", member.name)
        or (len(name.parts) > 1 and name.parts[0] in _FOLDERS and ".." not in name.parts and "\0" not in member.name)
    )
    if not known or not member.isreg():
        raise BadArchive(f"{path}: after {last} comes {member.name[:200]!r}, which no backup holds: it is damaged")


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


def _copy(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, into: IO[bytes] | None) -> str:
    source = tar.extractfile(member)
    assert source is not None, member  # noqa: S101, a regular file has content
    digest, left = hashlib.sha256(), member.size
    while left:
        try:
            data = source.read(min(left, _CHUNK_BYTES))
        except tarfile.TarError:
            data = b""
        if not data:
            raise BadArchive(f"{path}: cut within {member.name}: {left} of its {member.size} bytes are missing")
        digest.update(data)
        left -= len(data)
        if into is not None:
            into.write(data)
    return digest.hexdigest()


def _compare(path: Path, found: IO[bytes], manifest: IO[bytes]) -> BackupTotals:
    """Hold what was found to what was written, line by line."""
    found.seek(0)
    manifest.seek(0)
    entries = 0
    for line in found:
        entry = msgspec.json.decode(line, type=ManifestEntry)
        written = manifest.readline()
        if written != line:
            raise BadArchive(
                f"{path}: {entry.name} has {entry.bytes} bytes with sha256 {entry.sha256}; "
                f"the manifest says {written[:300].decode(errors='replace').strip() or 'nothing'}: it is damaged"
            )
        entries += 1
    try:
        totals = msgspec.json.decode(manifest.readline(), type=BackupTotals)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArchive(f"{path}: its manifest does not end as it must: it is damaged: {error}") from error
    if totals.entries != entries:
        raise BadArchive(f"{path}: holds {entries} entries, and was written with {totals.entries}: it is damaged")
    return totals
