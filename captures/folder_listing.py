"""Listing of a folder of captures: capture files, subfolders, damaged entries, and what is passed over, by kind."""

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MAX_DEPTH = 32  # a damaged file system can contain itself; cards have up to four levels
MAX_FOLDERS = 20_000
MAX_KINDS = 20  # of what is passed over; further kinds are counted as "other"
_MAX_ENDING_CHARACTERS = 10

# Thumbnails, deleted files and file fragments, not captures; compared without regard to case. Hidden names, which are
# passed over too, include .Trashes, .Trash-1000, .Spotlight-V100, .fseventsd, .snapshot, .recycle and .thumbnails.
SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "@tmp", "@database", "@img_bkp_cache", "@synologydrive", "@sharesnap"),  # Synology
        *("#recycle", "#snapshot"),
        *("@recycle", "@recently-snapshot", "@__thumb"),  # QNAP
        *("trashbox", "@sharebin", "~snapshot"),  # Buffalo, NetApp
        *("$recycle.bin", "recycle.bin", "recycled", "recycler", "system volume information"),  # Windows
        *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder"),  # macOS
        *("lost+found", "lost.dir"),  # Linux, Android
        "thmbnl",  # thumbnails of Sony cameras
    }
)
_CHECKED_DISK = re.compile(r"found\.\d{3}", re.ASCII)  # fragments that chkdsk found
# Control characters (C0 and C1), line and paragraph separators, and controls of the writing direction.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MOST_NS = 2**63 - 1
_SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "autorun.inf"})
PARTIAL_ENDINGS = frozenset({".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart"})  # still being written


class ListedFile(NamedTuple):
    """A regular file with its size in bytes and its modification time in nanoseconds."""

    path: str
    size: int
    modified_ns: int


class BadEntry(NamedTuple):
    """A folder entry that cannot be used, with the reason."""

    path: str
    reason: str


@dataclass(slots=True)
class Listing:
    """Contents of one folder, without those of its subfolders.

    Attributes:
        files: Files with one of the wanted endings.
        folders: Paths of the subfolders that may contain captures.
        bad: Entries that cannot be used, and the folder itself if its listing ended with an error.
        passed_over: Number of entries that are no captures, by kind: a file name ending such as ".avi", a system folder
            such as "@eaDir/", "links", or "special files" (pipes, sockets and devices).
    """

    files: list[ListedFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    bad: list[BadEntry] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def list_folder(
    path: str,
    endings: AbstractSet[str],
    root: str | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Listing:
    """List one folder; an entry that cannot be examined costs only itself.

    Hidden files, files of the operating system and files that are still being written are left out.

    Args:
        path: The folder.
        endings: Lower-case file name endings of captures, such as ".jpg".
        root: If given, links to files are not followed: a link to a file below ``root`` is passed over, since that file
            is listed itself, and every other link to a capture is a bad entry. None: links to files are followed.
        stopped: Ends the listing early when it returns True.

    Raises:
        OSError: the folder cannot be opened.
    """
    found = Listing()
    with os.scandir(path) as entries:
        try:
            for entry in entries:
                if stopped():
                    break
                _sort_in(entry, found, endings, root)
        except OSError as error:  # the listing itself breaks off, as on a damaged card
            found.bad.append(BadEntry(path, f"its listing breaks off: {error.strerror or error}"))
    return found


def walk(
    root: str,
    endings: AbstractSet[str],
    follow_links: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Listing]:
    """List a folder and its subfolders, parents first and in the order of their names; arguments as ``list_folder``.

    A subfolder that cannot be listed is a bad entry. Links to folders are not followed.

    Raises:
        OSError: ``root`` cannot be opened.
    """
    waiting = [(root, 0)]
    seen: set[tuple[int, int]] = set()
    while waiting and not stopped():
        path, depth = waiting.pop()
        try:
            listing = list_folder(path, endings, None if follow_links else root, stopped)
            seen.add(_identity(path))
        except OSError as error:
            if depth == 0:
                raise
            listing = Listing(bad=[BadEntry(path, error.strerror or str(error))])
        listing.files.sort()
        yield listing
        for folder in sorted(listing.folders, reverse=True):
            if (problem := nesting_problem(depth + 1, len(seen) + len(waiting))) is not None:
                yield Listing(bad=[BadEntry(folder, problem)])
            elif _identity_or_none(folder) not in seen:
                waiting.append((folder, depth + 1))


def nesting_problem(depth: int, folders: int) -> str | None:
    """Return why a subfolder is not listed, if it is nested too deeply or there are too many folders."""
    if depth > MAX_DEPTH:
        return f"nested {depth} levels deep: expected at most {MAX_DEPTH}; a damaged file system may contain itself"
    if folders >= MAX_FOLDERS:
        return f"not listed: there are more than {MAX_FOLDERS} folders"
    return None


def is_hidden(name: str) -> bool:
    """Return whether an entry is hidden or belongs to an operating system or NAS, and so contains no capture."""
    return name.startswith(".") or _is_system_folder(name) or name.casefold() in _SYSTEM_FILES


def ending_of(name: str) -> str:
    """Return the lower-case ending of a file name, such as ".jpg"; "" if it has none."""
    stem, dot, ending = name.rpartition(".")
    return f"{dot}{ending.lower()}" if stem else ""


def fewer_kinds(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of what is passed over, the largest first; rare kinds beyond ``MAX_KINDS`` become "other"."""
    ordered = sorted(((name, number) for name, number in counts.items() if number), key=lambda item: (-item[1], item))
    if len(ordered) <= MAX_KINDS:
        return dict(ordered)
    shown = dict(ordered[: MAX_KINDS - 1])
    shown["other"] = shown.get("other", 0) + sum(number for name, number in ordered[MAX_KINDS - 1 :])
    return shown


def describe_passed_over(counts: Mapping[str, int]) -> str:
    """Return the counts of what is passed over as text, such as "12 .avi, 1 @eaDir/"."""
    return ", ".join(f"{number} {kind}" for kind, number in fewer_kinds(counts).items())


def printable_name(path: Path | str) -> str:
    """Return a file name or path as valid UTF-8 on one line, with everything else escaped.

    Old cameras may write names in GBK. Control characters of a name could change what a terminal shows.
    """
    return _CONTROL.sub(_escaped, os.fsencode(path).decode("utf-8", "backslashreplace"))


def modified_ns(status: os.stat_result) -> int:
    """Return the time of the last modification in nanoseconds, within 64 bits: the years 1677 to 2262.

    A damaged file system, such as NTFS, may state years that neither ``datetime`` nor a database can hold.
    """
    return max(-_MOST_NS, min(status.st_mtime_ns, _MOST_NS))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _sort_in(entry: os.DirEntry[str], found: Listing, endings: AbstractSet[str], root: str | None) -> None:
    """Add one entry to a listing."""
    name = entry.name
    ending = ending_of(name)
    try:
        if entry.is_dir(follow_symlinks=False):
            if _is_system_folder(name):
                found.passed_over[f"{name.casefold()}/"] += 1
            elif not name.startswith("."):
                found.folders.append(entry.path)
            return
        if is_hidden(name) or ending in PARTIAL_ENDINGS:
            return
        if ending not in endings:
            found.passed_over["links" if entry.is_symlink() else _kind_of_other(ending)] += 1
            return
        if entry.is_symlink() and root is not None:
            _sort_in_link(entry, found, root)
            return
        status = entry.stat()
    except FileNotFoundError:
        if entry.is_symlink():
            found.bad.append(BadEntry(entry.path, "a link to a file that does not exist"))
        return  # otherwise removed since it was listed
    except OSError as error:
        found.bad.append(BadEntry(entry.path, error.strerror or str(error)))
        return
    if stat.S_ISREG(status.st_mode):
        found.files.append(ListedFile(entry.path, status.st_size, modified_ns(status)))
    elif stat.S_ISDIR(status.st_mode):
        found.passed_over["links"] += 1
    else:
        found.passed_over["special files"] += 1


def _sort_in_link(entry: os.DirEntry[str], found: Listing, root: str) -> None:
    """Add a link with the name of a capture: a card of an unknown origin must not publish other files of the machine.

    Raises:
        OSError: the link points to itself or to a file that does not exist.
    """
    target = os.path.realpath(entry.path, strict=True)  # pathlib raises RuntimeError at a loop
    if Path(target).is_relative_to(os.path.realpath(root)):
        found.passed_over["links"] += 1
    else:
        found.bad.append(BadEntry(entry.path, "a link to a file outside the watched folder: expected the file itself"))


def _is_system_folder(name: str) -> bool:
    return name.casefold() in SYSTEM_FOLDERS or _CHECKED_DISK.fullmatch(name.casefold()) is not None


def _kind_of_other(ending: str) -> str:
    if not ending:
        return "without ending"
    return ending if ending.isascii() and ending.isprintable() and len(ending) <= _MAX_ENDING_CHARACTERS else "other"


def _identity(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _identity_or_none(path: str) -> tuple[int, int] | None:
    try:
        return _identity(path)
    except OSError:
        return None  # its listing gives the reason
