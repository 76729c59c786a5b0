"""Writes all data of a running server into one archive."""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from casebook.snapshot import media_names
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
from wildpost.backup.copies import backup_lock, check_free_space, copied_databases
from wildpost.backup.errors import CannotBackUp
from wildpost.server.stores import open_media
from wildpost.settings.installation import FILE as INSTALLATION
from wildpost.settings.server import ServerSettings

HANDOVER = "handover"  # in the folder of `wildpost broker init`: passwords to hand over to stations
BROKER = "mosquitto.conf"  # present in every folder made by `wildpost broker init`


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
        check_free_space(plan.data)
        archive = stack.enter_context(create_archive(path, plan.recipients))
        copies = stack.enter_context(copied_databases(plan.data))
        files = _settings_files(plan)
        header = BackupHeader(
            format=FORMAT,
            wildpost=version("wildpost"),
            made_at=copies.made_at.isoformat(timespec="microseconds"),
            settings=plan.settings_file.name if plan.settings_file else "",
            from_files={name: str(original) for name, original in files.items()},
        )
        archive.add_bytes(HEADER, msgspec.json.encode(header))
        for name, file in {CASEBOOK: copies.casebook, DETECTIONS: copies.detections, **files}.items():
            archive.add_file(name, file)
        totals = _add_media(archive, plan, copies.casebook, copies.rows)
        archive.finish(totals)
    return BackupResult(path, header, totals, path.stat().st_size)


def _settings_files(plan: BackupPlan) -> dict[str, Path]:
    """Return the paths of all files to back up, except databases and media, by their names in the archive.

    They are the settings file, the files it refers to, the identity of the installation, the workers' names and the
    broker's folder.
    """
    found = {name: plan.data / name for name in (INSTALLATION, WORKERS) if (plan.data / name).exists()}
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
        if name not in (INSTALLATION, WORKERS) and not is_file_name(name):
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
