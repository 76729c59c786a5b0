"""Puts everything that a server keeps into one archive, while it runs."""

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
    ABOUT,
    CASEBOOK,
    DETECTIONS,
    FORMAT,
    WORKERS,
    ArchiveWriter,
    BackupHeader,
    BackupTotals,
    writing,
)
from wildpost.backup.snapshot_server import STAGING, RemoteSnapshot
from wildpost.server.stores import open_media
from wildpost.settings.server import ServerSettings

BROKER = "mosquitto.conf"  # what a folder of `wildpost broker init` has in any case
_ROOM_BYTES = 64_000_000  # left free beside the copies, for the server that goes on


class CannotBackUp(WildpostError):
    """No backup can be made, or this one cannot be restored here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What to back up.

    Attributes:
        data: The data folder.
        settings: What the server is told.
        settings_file: Where that stands; None: it runs on defaults.
        broker: The folder of `wildpost broker init`, to be kept as well; None: it is not.
    """

    data: Path
    settings: ServerSettings
    settings_file: Path | None
    broker: Path | None


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A backup."""

    path: Path
    about: BackupHeader
    totals: BackupTotals
    bytes: int


class _Detections(Protocol):
    def hold(self) -> None: ...

    def write(self) -> tuple[Path, dict[str, int]]: ...

    def close(self) -> None: ...


def make_backup(plan: BackupPlan, to: Path) -> BackupResult:
    """Write everything into one archive.

    Args:
        plan: What to back up.
        to: The file to make, or a folder in which it gets a name by the time.

    Raises:
        CannotBackUp: there is nothing to back up, no room, or another backup is under way.
        StoreUnavailable: a database cannot be read.
        OSError: a file cannot be read, or the archive cannot be written.
    """
    if plan.settings.store.kind != "duckdb" or plan.settings.casebook.url:
        raise CannotBackUp("only DuckDB and SQLite can be backed up by this command; ask the database's own for others")
    if plan.broker is not None and not (plan.broker / BROKER).is_file():
        raise CannotBackUp(f"--broker {plan.broker}: no {BROKER} there; expected the folder of `wildpost broker init`")
    now = datetime.now(UTC)
    path = to / f"wildpost-{now:%Y-%m-%dT%H%M%SZ}.tar" if to.is_dir() else to
    with ExitStack() as stack:
        stack.enter_context(alone(plan.data))
        _check_room(plan.data)
        archive = stack.enter_context(writing(path))
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=STAGING, dir=plan.data)))
        casebook = stack.enter_context(closing(SqliteCasebookSnapshot(plan.data / CASEBOOK)))
        detections = stack.enter_context(closing(_detections(plan.data, staging)))
        detections.hold()
        casebook.hold()
        made_at = datetime.now(UTC)
        # The intake goes on from here: the server copies its side first, in a moment that is fixed.
        copied, detection_rows = detections.write()
        casebook_rows = casebook.write(staging / CASEBOOK)
        rows = {CASEBOOK: casebook_rows, DETECTIONS: detection_rows}
        files = _settings_files(plan)
        about = BackupHeader(
            format=FORMAT,
            wildpost=version("wildpost"),
            made_at=made_at.isoformat(timespec="microseconds"),
            settings=plan.settings_file.name if plan.settings_file else "",
            from_files={name: str(place) for name, place in files.items()},
        )
        archive.add_bytes(ABOUT, msgspec.json.encode(about))
        for name, place in {CASEBOOK: staging / CASEBOOK, DETECTIONS: copied, **files}.items():
            archive.add_file(name, place)
        totals = _add_media(archive, plan, staging / CASEBOOK, rows)
        archive.finish(totals)
    return BackupResult(path, about, totals, path.stat().st_size)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one backup at a time work in a data folder, and clear away what a killed one left."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotBackUp(f"{folder}: another backup or restore is under way") from error
        for left in folder.glob(f"{STAGING}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(handle)


def _check_room(folder: Path) -> None:
    """See to it that copies of the databases fit: a server whose disk is full takes nothing in."""
    for name in (CASEBOOK, DETECTIONS):
        if not (folder / name).exists():
            raise CannotBackUp(f"{folder / name}: not there; where does the server keep its data? --data DIR")
    needed = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith((CASEBOOK, DETECTIONS)))
    free = shutil.disk_usage(folder).free
    if free < needed + _ROOM_BYTES:
        raise CannotBackUp(
            f"{folder}: {free / 1e6:.0f} MB free; copying the databases first needs "
            f"{(needed + _ROOM_BYTES) / 1e6:.0f} MB there"
        )


def _detections(folder: Path, staging: Path) -> _Detections:
    try:
        return RemoteSnapshot(folder)
    except (FileNotFoundError, ConnectionRefusedError):
        return _OwnCopy(folder / DETECTIONS, staging / DETECTIONS)  # no server runs


class _OwnCopy:
    """A copy that we make ourselves, since no server has the file open."""

    def __init__(self, path: Path, copy: Path) -> None:
        self._copy = copy
        self._store = DuckDbStore(path, read_only=True)
        self._moment: DuckDbSnapshot | None = None

    def hold(self) -> None:
        self._moment = self._store.snapshot(self._copy)

    def write(self) -> tuple[Path, dict[str, int]]:
        assert self._moment is not None, "hold comes first"  # noqa: S101
        rows = self._moment.write()
        self.close()
        return self._copy, rows

    def close(self) -> None:
        if self._moment is not None:
            self._moment.close()
        self._store.close()


def _settings_files(plan: BackupPlan) -> dict[str, Path]:
    """Name the files to keep: settings, what they name, workers' names, the broker's folder."""
    found: dict[str, Path] = {}
    if (workers := plan.data / WORKERS).exists():
        found[WORKERS] = workers
    if plan.settings_file is not None:
        beside = plan.settings_file.absolute().parent
        found[f"settings/{plan.settings_file.name}"] = plan.settings_file.absolute()
        for named in (plan.settings.rules.zones, plan.settings.rules.species, plan.settings.broker.ca_file):
            if named:
                found[f"settings/{_name_for(named)}"] = beside / named
    if plan.broker is not None:
        for file in sorted(plan.broker.absolute().rglob("*")):
            if file.is_file():
                found[f"broker/{file.relative_to(plan.broker.absolute()).as_posix()}"] = file
    return found


def _name_for(named: str) -> str:
    """Write the name in the archive of a file that settings name: its own where it lies beside or below them."""
    path = Path(named)
    if path.is_absolute() or ".." in path.parts:
        return "elsewhere/" + "/".join(part for part in path.parts if part not in ("..", path.anchor))
    return path.as_posix()


def _add_media(
    archive: ArchiveWriter, plan: BackupPlan, casebook: Path, rows: dict[str, dict[str, int]]
) -> BackupTotals:
    """Add all media, and count those that the casebook names beside those that are there."""
    media = open_media(plan.settings.media, plan.data)
    kept, missing, damaged, named = 0, 0, [], 0
    wanted = media_names(casebook)
    next_wanted = next(wanted, None)
    for name in media.names():
        while next_wanted is not None and next_wanted <= name:
            named += 1
            missing += next_wanted < name
            next_wanted = next(wanted, None)
        with media.open(name) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != name:
            damaged.append(name)
            continue
        archive.add_bytes(f"media/{name[:2]}/{name}", data)
        kept += 1
    while next_wanted is not None:
        named, missing, next_wanted = named + 1, missing + 1, next(wanted, None)
    return BackupTotals(
        entries=archive.entries,
        media=kept,
        media_named=named,
        media_missing=missing,
        media_damaged=tuple(damaged),
        rows=rows,
    )
