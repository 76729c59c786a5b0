"""The data folder of a machine: set by --data or WILDPOST_DATA, else the platform's folder for user data."""

import logging
import os
import stat
from fnmatch import fnmatch
from pathlib import Path

from platformdirs import user_data_path

from contract.durable_file import PARTIAL
from contract.private_files import make_private_folder, restrict

VARIABLE = "WILDPOST_DATA"
LOG = logging.getLogger("wildpost.data_folder")
# Names of what Wildpost writes into a data folder; modes of other files in it are not changed.
_OWN = (
    *("casebook.sqlite*", "detections.duckdb*", "media", "imports", "server.*", "workers*", "backup.socket"),
    *("installation.json", "evidence.key"),
    *("drawn", "spool", "revocations-*", f".*{PARTIAL}"),
    *("settings", "broker", ".backup-*", ".restoring-*"),
    *("stations", "cards", "models", "cache", "samples", "demo"),
)
_FOREIGN = "lost+found"  # exists at the root of an ext4 file system
_TEMPORARY = frozenset({"/tmp", "/var/tmp", "/dev/shm", "/run/lock"})  # noqa: S108, folders that all users share
_SHOWN = 3
_SEARCHED_LEVELS = 1  # below the data folder: a start does not read the names of a million media


def named_folder(given: Path | None = None) -> Path:
    """Return the path of the data folder: ``given``, else WILDPOST_DATA, else the platform's folder for user data."""
    folder = given or Path(os.environ.get(VARIABLE) or user_data_path("wildpost", appauthor=False))
    return folder.expanduser().absolute()


def data_folder(given: Path | None = None) -> Path:
    """Return the path of the data folder; create it if it does not exist, and check who can read and write it.

    What others can read, because an earlier version or another program created it, is restricted to its owner; the
    log says so.

    Raises:
        OSError: the folder cannot be created, is not writable, or is shared with other users.
    """
    folder = named_folder(given)
    remedy = f"choose another with {VARIABLE}=DIR or --data DIR"
    try:
        make_private_folder(folder)
    except OSError as error:
        raise OSError(f"{folder}: the data folder cannot be created ({error.strerror}); {remedy}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: not writable for this user; {remedy}")
    _check_shared(folder, remedy)
    _restrict(folder)
    return folder


def _check_shared(folder: Path, remedy: str) -> None:
    """Check that no other user can replace files in the data folder.

    Raises:
        PermissionError: every user can create files in it, and this process must not or cannot change that.
    """
    found = folder.stat()
    ours = os.geteuid() in (0, found.st_uid)
    # A new tmpfs has the mode of /tmp too; it is accepted, and restricted below.
    temporary = found.st_mode & stat.S_ISVTX and (foreign_names(folder) or str(folder.resolve()) in _TEMPORARY)
    if found.st_mode & stat.S_IWOTH and (temporary or not ours):
        raise PermissionError(
            f"{folder}: every user can write to this folder; the data needs a folder of its own, "
            f"for example {folder / 'wildpost'}: {remedy}"
        )
    if not ours:
        LOG.warning(
            "%s belongs to another user (uid %d), who can read and change all data; give it to this user with chown",
            folder,
            found.st_uid,
        )


def foreign_names(folder: Path) -> list[str]:
    """Return the names in a folder that are not Wildpost's, sorted."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name != _FOREIGN and not any(fnmatch(name, own) for own in _OWN)]


def _restrict(folder: Path) -> None:
    """Restrict the data folder and Wildpost's files in it to their owner, and log what was changed."""
    found = folder.stat()
    names = sorted(path.name for path in folder.iterdir())
    foreign = foreign_names(folder)
    changed: list[Path] = []
    if found.st_mode & 0o077 and os.geteuid() in (0, found.st_uid):
        if foreign and os.geteuid() == 0:  # it could be /srv or /
            LOG.warning(
                "%s can be read by other users; it stays so, since it contains other files too (%s%s): move the data "
                "into a folder of its own",
                folder,
                ", ".join(foreign[:_SHOWN]),
                " ..." if len(foreign) > _SHOWN else "",
            )
        else:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~(0o077 | stat.S_ISVTX))
            changed.append(folder)
    for name in names:
        if name not in foreign and name != _FOREIGN:
            changed += restrict(folder / name, _SEARCHED_LEVELS)
    if changed:
        LOG.warning(
            "%s: %d files and folders could be read by other users; now only their owner can: %s%s",
            folder,
            len(changed),
            ", ".join(path.name for path in changed[:_SHOWN]),
            " ..." if len(changed) > _SHOWN else "",
        )
