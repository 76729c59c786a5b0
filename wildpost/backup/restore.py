"""Takes a backup back: into an empty data folder, and only when every byte and every row of it is there."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from casebook.snapshot import count_file as count_casebook
from contract.errors import StoreUnavailable
from ingest.store.duckdb.snapshot import count_file as count_detections
from wildpost.backup.archive import CASEBOOK, DETECTIONS, BackupHeader, BackupTotals, BadArchive, sync_folder
from wildpost.backup.create import CannotBackUp, alone
from wildpost.backup.unpacking import read_about, unpack

STAGING = ".restoring-"
_NOTHING = {"lost+found"}  # a disk of its own has this from the beginning


@dataclass(frozen=True, slots=True)
class Restored:
    """What was in the archive, all of it verified."""

    about: BackupHeader
    totals: BackupTotals
    bytes: int


def restore(archive: Path, data: Path) -> Restored:
    """Unpack a backup into a data folder, verify it there, and only then give things their names.

    Args:
        archive: What `wildpost backup` made.
        data: The data folder, empty.

    Raises:
        CannotBackUp: the folder is not empty, or has no room.
        BadArchive: the archive is not whole.
        OSError: the archive cannot be read.
    """
    read_about(archive)
    with alone(data):
        for left in data.glob(f"{STAGING}*"):
            shutil.rmtree(left)  # of a restore that was killed: none of it counted yet
        if found := sorted({place.name for place in data.iterdir()} - _NOTHING):
            raise CannotBackUp(
                f"{data}: not empty, it holds {', '.join(found[:3])}{' ...' if len(found) > 3 else ''}; "
                "a backup is restored into an empty folder: --data DIR"
            )
        _check_room(archive, data)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=data))
        try:
            about, totals = unpack(archive, staging)
            _verify(archive, staging, totals)
            os.sync()  # a million small files: all at once
            # The databases last: without them no server takes the folder for whole.
            for place in sorted(staging.iterdir(), key=lambda place: (place.name in (CASEBOOK, DETECTIONS), place)):
                place.rename(data / place.name)
            sync_folder(data)
        finally:
            shutil.rmtree(staging)
    return Restored(about, totals, archive.stat().st_size)


def check(archive: Path) -> Restored:
    """Verify a backup as restoring it would, and keep nothing.

    Raises:
        BadArchive: the archive is not whole.
        OSError: the archive cannot be read, or there is no room for its databases in the folder for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="wildpost-check-") as name:
        about, totals = unpack(archive, Path(name), lambda entry: entry in (CASEBOOK, DETECTIONS))
        _verify(archive, Path(name), totals)
    return Restored(about, totals, archive.stat().st_size)


def _check_room(archive: Path, data: Path) -> None:
    needed, free = archive.stat().st_size, shutil.disk_usage(data).free
    if free < needed:
        raise CannotBackUp(f"{data}: {free / 1e6:.0f} MB free; {archive} holds {needed / 1e6:.0f} MB")


def _verify(archive: Path, folder: Path, totals: BackupTotals) -> None:
    """Open the databases, and count their rows and the media."""
    counting = {CASEBOOK: count_casebook, DETECTIONS: count_detections}
    for name, rows in totals.rows.items():
        try:
            found = counting[name](folder / name)
        except StoreUnavailable as error:
            raise BadArchive(f"{archive}: {error}") from error
        if found != rows:
            raise BadArchive(f"{archive}: {name} has {found} rows; it was written with {rows}")
