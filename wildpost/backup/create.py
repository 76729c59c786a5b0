"""Writes all data of a running server into one archive."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec

from casebook.snapshot import SqliteCasebookSnapshot, media_names
from contract.errors import WildpostError
from ingest.store.duckdb.snapshot import DuckDbSnapshot
from ingest.store.duckdb.store import DuckDbStore
from wildpost.backup.archive import (
    CASEBOOK,
    DETECTIONS,
    FORMAT,
    HEADER,
    MAX_FILES,
    WORKERS,
    ArchiveWriter,
    BackupHeader,
    BackupTotals,
    create_archive,
    is_file_name,
)
from wildpost.backup.snapshot_server import STAGING, RemoteSnapshot
from wildpost.server.stores import open_media
from wildpost.settings.server import ServerSettings

HANDOVER = "handover"  # in the folder of `wildpost broker init`: passwords to hand over to stations
BROKER = "mosquitto.conf"  # present in every folder made by `wildpost broker init`
_MIN_FREE_BYTES = 64_000_000  # kept free beside the copies, for the running server


class CannotBackUp(WildpostError):
    """A backup cannot be made or restored; the message gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """The data folder, settings and broker folder that a backup includes.

    Attributes:
        data: The data folder.
        settings: The server's settings.
        settings_file: The settings file; None: the server runs on defaults.
        broker: A folder of `wildpost broker init` to include; None: no broker folder.
        recipients: Public keys to encrypt the backup for; none: a plain file, without the broker's handed-over
            passwords.
    """

    data: Path
    settings: ServerSettings
    settings_file: Path | None
    broker: Path | None
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupResult:
    """Path, size and header of a finished backup, with its numbers of entries, media files and database rows."""

    path: Path
    header: BackupHeader
    totals: BackupTotals
    bytes: int


class DetectionSnapshot(Protocol):
    """Consistent copy of the detection database, which a running server may have open."""

    def hold(self) -> None:
        """Take the snapshot."""
        ...

    def write(self) -> tuple[Path, dict[str, int]]:
        """Write it to a file; return the path, valid until ``close``, and the number of rows of each table."""
        ...

    def close(self) -> None:
        """Release the snapshot."""
        ...


def make_backup(plan: BackupPlan, to: Path) -> BackupResult:
    """Write all data of a server into one backup archive.

    Args:
        plan: What to back up.
        to: The file to write, or a folder; the file name is then the time.

    Raises:
        CannotBackUp: there is no data, too little disk space, or another backup is running.
        KeyProblem: a recipient is not a public key.
        StoreUnavailable: a database cannot be read.
        OSError: a file cannot be read, or the archive cannot be written.
    """
    if plan.settings.store.kind != "duckdb" or plan.settings.casebook.url:
        raise CannotBackUp("this command backs up DuckDB and SQLite only; use the tools of the other database")
    if plan.broker is not None and not (plan.broker / BROKER).is_file():
        raise CannotBackUp(f"--broker {plan.broker}: contains no {BROKER}; expected a folder of `wildpost broker init`")
    now = datetime.now(UTC)
    name = f"wildpost-{now:%Y-%m-%dT%H%M%SZ}.tar{'.age' if plan.recipients else ''}"
    path = to / name if to.is_dir() else to
    with ExitStack() as stack:
        stack.enter_context(backup_lock(plan.data))
        _check_free_space(plan.data)
        archive = stack.enter_context(create_archive(path, plan.recipients))
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=STAGING, dir=plan.data)))
        casebook = stack.enter_context(closing(SqliteCasebookSnapshot(plan.data / CASEBOOK)))
        detections = stack.enter_context(closing(detection_snapshot(plan.data, staging)))
        detections.hold()
        casebook.hold()
        made_at = datetime.now(UTC)
        # Both snapshots are taken; ingest continues from here, while the server copies its snapshot first.
        copied, detection_rows = detections.write()
        casebook_rows = casebook.write(staging / CASEBOOK)
        rows = {CASEBOOK: casebook_rows, DETECTIONS: detection_rows}
        files = _settings_files(plan)
        header = BackupHeader(
            format=FORMAT,
            wildpost=version("wildpost"),
            made_at=made_at.isoformat(timespec="microseconds"),
            settings=plan.settings_file.name if plan.settings_file else "",
            from_files={name: str(original) for name, original in files.items()},
        )
        archive.add_bytes(HEADER, msgspec.json.encode(header))
        for name, file in {CASEBOOK: staging / CASEBOOK, DETECTIONS: copied, **files}.items():
            archive.add_file(name, file)
        totals = _add_media(archive, plan, staging / CASEBOOK, rows)
        archive.finish(totals)
    return BackupResult(path, header, totals, path.stat().st_size)


@contextmanager
def backup_lock(folder: Path) -> Iterator[None]:
    """Lock a data folder against other backups and restores until the context ends.

    Temporary folders that a killed backup left behind are deleted.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotBackUp(f"{folder}: another backup or restore is running") from error
        for left in folder.glob(f"{STAGING}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(handle)


def _check_free_space(folder: Path) -> None:
    """Check that the disk has enough space for temporary copies of the databases.

    A server with a full disk cannot store new messages.
    """
    for name in (CASEBOOK, DETECTIONS):
        if not (folder / name).exists():
            raise CannotBackUp(f"{folder / name}: no such file; name the server's data folder with --data DIR")
    needed = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith((CASEBOOK, DETECTIONS)))
    free = shutil.disk_usage(folder).free
    if free < needed + _MIN_FREE_BYTES:
        raise CannotBackUp(
            f"{folder}: {free / 1e6:.0f} MB free; temporary copies of the databases need "
            f"{(needed + _MIN_FREE_BYTES) / 1e6:.0f} MB"
        )


def detection_snapshot(folder: Path, staging: Path) -> DetectionSnapshot:
    """Return a snapshot of the detections: of the running server, or of the file if no server runs.

    Args:
        folder: The data folder.
        staging: Folder for the copy, if this process makes it.
    """
    try:
        return RemoteSnapshot(folder)
    except (FileNotFoundError, ConnectionRefusedError):
        return _LocalSnapshot(folder / DETECTIONS, staging / DETECTIONS)  # no server runs


class _LocalSnapshot:
    """Copy of the detection database, made by this process; used if no server has the database open."""

    def __init__(self, path: Path, copy: Path) -> None:
        self._copy = copy
        self._store = DuckDbStore(path, read_only=True)
        self._snapshot: DuckDbSnapshot | None = None

    def hold(self) -> None:
        self._snapshot = self._store.snapshot(self._copy)

    def write(self) -> tuple[Path, dict[str, int]]:
        assert self._snapshot is not None, "call hold first"  # noqa: S101
        rows = self._snapshot.write()
        self.close()
        return self._copy, rows

    def close(self) -> None:
        if self._snapshot is not None:
            self._snapshot.close()
        self._store.close()


def _settings_files(plan: BackupPlan) -> dict[str, Path]:
    """Return the paths of all files to back up, except databases and media, by their names in the archive.

    They are the settings file, the files it refers to, the workers' names and the broker's folder.
    """
    found: dict[str, Path] = {}
    if (workers := plan.data / WORKERS).exists():
        found[WORKERS] = workers
    if plan.settings_file is not None:
        settings_folder = plan.settings_file.absolute().parent
        found[f"settings/{plan.settings_file.name}"] = plan.settings_file.absolute()
        for reference in (plan.settings.rules.zones, plan.settings.rules.species, plan.settings.broker.ca_file):
            if reference:
                found[f"settings/{_archive_name(reference)}"] = settings_folder / reference
    if plan.broker is not None:
        for file in sorted(plan.broker.absolute().rglob("*")):
            inside = file.relative_to(plan.broker.absolute())
            # Passwords in clear text that were not handed over yet are in no backup.
            if file.is_file() and inside.parts[0] != HANDOVER:
                found[f"broker/{inside.as_posix()}"] = file
    for name, file in found.items():
        if name != WORKERS and not is_file_name(name):
            raise CannotBackUp(f"{str(file)!r}: the name cannot be stored; rename the file")
    if len(found) > MAX_FILES:
        raise CannotBackUp(f"{plan.broker}: {len(found)} files; a backup includes up to {MAX_FILES}")
    return found


def _archive_name(reference: str) -> str:
    """Return the archive name of a file that the settings refer to.

    A relative path to a file below the folder of the settings is kept as the name.
    """
    path = Path(reference)
    if path.is_absolute() or ".." in path.parts:
        return "elsewhere/" + "/".join(part for part in path.parts if part not in ("..", path.anchor))
    return path.as_posix()


def _add_media(
    archive: ArchiveWriter, plan: BackupPlan, casebook: Path, rows: dict[str, dict[str, int]]
) -> BackupTotals:
    """Add all media files to the archive and return its numbers of entries, media files and database rows.

    Both the casebook and the media store list their names in sorted order, so the two lists are merged.
    """
    media = open_media(plan.settings.media, plan.data)
    added, missing, damaged, named = 0, 0, [], 0
    references = media_names(casebook)
    reference = next(references, None)
    for name in media.names():
        while reference is not None and reference <= name:
            named += 1
            missing += reference < name
            reference = next(references, None)
        with media.open(name) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != name:
            damaged.append(name)
            continue
        archive.add_bytes(f"media/{name[:2]}/{name}", data)
        added += 1
    while reference is not None:
        named, missing, reference = named + 1, missing + 1, next(references, None)
    return BackupTotals(
        entries=archive.entries,
        media=added,
        media_named=named,
        media_missing=missing,
        media_damaged=tuple(damaged),
        rows=rows,
    )
