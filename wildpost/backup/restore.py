"""Restores a backup into an empty data folder after verifying every byte and every row count."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casebook.snapshot import count_file as count_casebook
from contract.durable_file import sync_folder
from contract.errors import StoreUnavailable
from ingest.store.duckdb.snapshot import count_file as count_detections
from wildpost.backup.archive import CASEBOOK, DETECTIONS, BackupHeader, BackupTotals
from wildpost.backup.copies import backup_lock
from wildpost.backup.errors import BadArchive, CannotBackUp
from wildpost.backup.unpacking import read_header, unpack

STAGING = ".restoring-"
_IGNORED = {"lost+found"}  # exists at the root of an empty ext4 file system


@dataclass(frozen=True, slots=True)
class Restored:
    """Header and size of a verified backup archive, with its numbers of entries, media files and database rows."""

    header: BackupHeader
    totals: BackupTotals
    bytes: int


def restore(archive: Path, data: Path, identities: Sequence[Any] = ()) -> Restored:
    """Unpack a backup into a staging folder, verify it there, and then move it into the data folder.

    Args:
        archive: A file written by `wildpost backup`.
        data: The data folder, empty.
        identities: Private keys for an encrypted archive.

    Raises:
        CannotBackUp: the folder is not empty, or has too little disk space.
        BadArchive: the archive is incomplete or damaged.
        KeyProblem: the archive is encrypted, and none of the identities can decrypt it.
        OSError: the archive cannot be read.
    """
    read_header(archive, identities)
    with backup_lock(data):
        for left in data.glob(f"{STAGING}*"):
            shutil.rmtree(left)  # staging folder of a killed restore
        if found := sorted({path.name for path in data.iterdir()} - _IGNORED):
            raise CannotBackUp(
                f"{data}: not empty, it contains {', '.join(found[:3])}{' ...' if len(found) > 3 else ''}; "
                "choose an empty folder: --data DIR"
            )
        _check_free_space(archive, data)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=data))
        try:
            header, totals = unpack(archive, staging, identities)
            _verify(archive, staging, totals)
            os.sync()  # one sync for up to a million small files
            # The databases are moved last: without them, a server refuses to take the folder for complete data.
            for path in sorted(staging.iterdir(), key=lambda path: (path.name in (CASEBOOK, DETECTIONS), path)):
                path.rename(data / path.name)
            sync_folder(data)
        finally:
            shutil.rmtree(staging)
    return Restored(header, totals, archive.stat().st_size)


def check(archive: Path, identities: Sequence[Any] = ()) -> Restored:
    """Verify a backup archive as ``restore`` does, without keeping the unpacked files.

    Raises:
        BadArchive: the archive is incomplete or damaged.
        KeyProblem: the archive is encrypted, and none of the identities can decrypt it.
        OSError: the archive cannot be read, or the temporary folder has too little space for its databases.
    """
    with tempfile.TemporaryDirectory(prefix="wildpost-check-") as name:
        header, totals = unpack(archive, Path(name), identities, lambda entry: entry in (CASEBOOK, DETECTIONS))
        _verify(archive, Path(name), totals)
    return Restored(header, totals, archive.stat().st_size)


def _check_free_space(archive: Path, data: Path) -> None:
    needed, free = archive.stat().st_size, shutil.disk_usage(data).free
    if free < needed:
        raise CannotBackUp(f"{data}: {free / 1e6:.0f} MB free; {archive} needs {needed / 1e6:.0f} MB")


def _verify(archive: Path, folder: Path, totals: BackupTotals) -> None:
    """Open the unpacked databases and compare the row count of every table with the manifest."""
    counters = {CASEBOOK: count_casebook, DETECTIONS: count_detections}
    for name, rows in totals.rows.items():
        try:
            found = counters[name](folder / name)
        except StoreUnavailable as error:
            raise BadArchive(f"{archive}: {error}") from error
        if found != rows:
            raise BadArchive(f"{archive}: {name} has {found} rows; the manifest has {rows}")
