"""BagIt folders (RFC 8493): payload files with their SHA-256, and the checks that a received one is whole.

Names are limited to what this package writes, so that no manifest can lead out of the folder.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.private_files import make_private_folder, private_opener

MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = f"{TAG_MANIFEST}.sig"
SERVER_KEY = "server-key.pem"
DECLARATION, INFO = "bagit.txt", "bag-info.txt"
TAG_FILES = (DECLARATION, INFO, MANIFEST, SERVER_KEY)
MOST_FILES = 100_000
MOST_MANIFEST_BYTES = 16_000_000  # about as many lines as MOST_FILES
MOST_TAG_BYTES = 64_000
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_PAYLOAD_NAME = re.compile(rf"data(/{_PART}){{1,4}}")
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_BLOCK = 1 << 20

Fault = Literal[
    "path", "link", "altered", "missing", "added", "manifest", "signature", "key", "event", "chain", "custody", "media"
]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a pack.

    Attributes:
        fault: Kind of problem.
        name: The file, as named in the pack.
        detail: What was found, and what was expected.
    """

    fault: Fault
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.name}: {self.detail}"


@dataclass(frozen=True, slots=True)
class BagReport:
    """What a folder has, and what is wrong with it as a bag.

    Attributes:
        files: Names of its regular files, as far as they can be those of a pack.
        hashes: The hashes that its manifests name, by file.
        problems: Everything that is wrong.
    """

    files: Set[str]
    hashes: Mapping[str, str]
    problems: Sequence[Problem]


class BagWriter:
    """Writes the files of a bag into a new folder."""

    def __init__(self, folder: Path) -> None:
        """Use an empty folder."""
        self._folder = folder
        self._hashes: dict[str, str] = {}
        self._bytes = 0

    def add(self, name: str, data: bytes) -> None:
        """Write a payload file, named below ``data/``.

        Raises:
            ValueError: the name is not one of a payload file, or was used before.
        """
        name = f"data/{name}"
        if not _PAYLOAD_NAME.fullmatch(name) or name in self._hashes:
            raise ValueError(f"{name!r}: expected a new name of letters, digits, ., _ and - below data/")
        make_private_folder((self._folder / name).parent)
        self._write(name, data)
        self._hashes[name] = hashlib.sha256(data).hexdigest()
        self._bytes += len(data)

    def finish(self, info: Mapping[str, str], server_key: bytes) -> bytes:
        """Write the tag files and return the content of the tag manifest, which is to be signed."""
        oxum = f"{self._bytes}.{len(self._hashes)}"
        lines = {**info, "Payload-Oxum": oxum}
        tags = {
            DECLARATION: b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            INFO: "".join(f"{key}: {' '.join(value.split())}\n" for key, value in lines.items()).encode(),
            MANIFEST: _lines(self._hashes),
            SERVER_KEY: server_key,
        }
        for name, data in tags.items():
            self._write(name, data)
        tag_manifest = _lines({name: hashlib.sha256(data).hexdigest() for name, data in tags.items()})
        self._write(TAG_MANIFEST, tag_manifest)
        return tag_manifest

    def add_signature(self, signature: bytes) -> None:
        """Write the signature of the tag manifest."""
        self._write(SIGNATURE, signature)

    def _write(self, name: str, data: bytes) -> None:
        with open(self._folder / name, "xb", opener=private_opener) as file:
            file.write(data)


def _lines(hashes: Mapping[str, str]) -> bytes:
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())).encode()


def check_bag(folder: Path) -> BagReport:
    """Check that a folder has exactly the files of its manifests, unaltered; follow no link and no path out of it.

    Raises:
        OSError: the folder or a file cannot be read.
    """
    found, problems = _list_files(folder)
    for name in (*TAG_FILES, TAG_MANIFEST):
        if name not in found and not any(problem.name == name for problem in problems):
            problems.append(Problem("missing", name, "expected this file of every pack"))
    expected: dict[str, str] = {}
    for manifest, allowed in ((TAG_MANIFEST, TAG_FILES), (MANIFEST, None)):
        if manifest in found:
            hashes, wrong = _read_manifest(folder, manifest, allowed)
            expected |= hashes
            problems += wrong
    problems += [
        Problem("missing", TAG_MANIFEST, f"it does not name {name}") for name in TAG_FILES if name not in expected
    ]
    for name, sha256 in sorted(expected.items()):
        if name in found:
            if name in TAG_FILES and (folder / name).lstat().st_size > MOST_MANIFEST_BYTES:
                problems.append(Problem("altered", name, f"larger than {MOST_MANIFEST_BYTES} bytes; it was not read"))
                continue
            actual = file_sha256(folder / name)
            if actual != sha256:
                problems.append(Problem("altered", name, f"sha256 {actual}, expected {sha256}"))
        elif name not in TAG_FILES:
            problems.append(Problem("missing", name, "the manifest names it"))
    for name in sorted(found - expected.keys() - {TAG_MANIFEST, SIGNATURE, *TAG_FILES}):
        problems.append(Problem("added", name, "no manifest names it"))
    return BagReport(found, expected, problems)


def _list_files(folder: Path) -> tuple[set[str], list[Problem]]:
    """Return the files below a folder that have a name of a pack, and what else was found there."""
    found: set[str] = set()
    problems: list[Problem] = []
    for name, mode in _walk(folder, ""):
        shown = _printable(name)
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"
            problems.append(Problem("link", shown, f"{kind}; a pack has regular files only"))
        elif _PAYLOAD_NAME.fullmatch(name) or name in (*TAG_FILES, TAG_MANIFEST, SIGNATURE):
            found.add(name)
        else:
            problems.append(Problem("added", shown, "no manifest names it"))
        if len(found) + len(problems) > MOST_FILES:
            problems.append(Problem("manifest", shown, f"more than {MOST_FILES} files"))
            break
    return found, problems


def _walk(folder: Path, prefix: str, depth: int = 6) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        name = prefix + entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode) and depth > 0:
            yield from _walk(folder / entry.name, f"{name}/", depth - 1)
        else:
            yield name, mode


def _read_manifest(folder: Path, manifest: str, allowed: Iterable[str] | None) -> tuple[dict[str, str], list[Problem]]:
    """Return the hashes that a manifest names, and its lines that cannot be used."""
    data = read_limited(folder / manifest, MOST_MANIFEST_BYTES)
    if data is None:
        return {}, [Problem("manifest", manifest, f"larger than {MOST_MANIFEST_BYTES} bytes; it was not read")]
    hashes: dict[str, str] = {}
    problems = []
    names = None if allowed is None else set(allowed)
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1):
        if number > MOST_FILES:
            problems.append(Problem("manifest", manifest, f"more than {MOST_FILES} lines"))
            break
        found = _LINE.fullmatch(line)
        if found is None:
            problems.append(Problem("manifest", manifest, f"line {number}: expected a SHA-256, two spaces and a name"))
            continue
        sha256, name = found[1], found[2]
        if (names is None and not _PAYLOAD_NAME.fullmatch(name)) or (names is not None and name not in names):
            problems.append(Problem("path", manifest, f"line {number}: {_printable(name)}: not a name of this pack"))
        elif name in hashes:
            problems.append(Problem("manifest", manifest, f"line {number}: {name} is named twice"))
        else:
            hashes[name] = sha256
    return hashes, problems


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file, without following a link."""
    digest = hashlib.sha256()
    with open(path, "rb", opener=_no_link) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_limited(path: Path, limit: int) -> bytes | None:
    """Return the content of a regular file, without following a link; None if it is longer than the limit."""
    with open(path, "rb", opener=_no_link) as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _printable(name: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)[:200]
