"""An original capture file: its kind by its content, and its metadata with the hash of the content."""

import hashlib
import threading
from pathlib import Path

from captures.decoded import Unreadable
from captures.file_kind import FileKind, kind_of_path
from captures.folder_listing import printable_name
from contract import Media

_BLOCK = 1 << 20
_NAME_CHARACTERS = 255


def capture_kind(path: Path, size: int) -> FileKind:
    """Return the form of a capture file of ``size`` bytes by its first bytes.

    Raises:
        Unreadable: the file is empty, or is neither a picture nor a film nor a recording.
        OSError: the file cannot be read.
    """
    name = printable_name(path.name)
    if size == 0:
        raise Unreadable(f"{name}: empty file (0 bytes)")
    kind = kind_of_path(path)
    if kind is None or kind.family == "other":
        form = f"a {kind.form} file" if kind is not None else "of an unknown form"
        raise Unreadable(f"{name}: {form} by its first bytes: expected a picture, a film or a recording")
    return kind


def original_media(path: Path, kind: FileKind, stop: threading.Event | None = None) -> Media | None:
    """Return the metadata of a file with its SHA-256; None if ``stop`` is set before it is read.

    Raises:
        OSError: the file cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if stop is not None and stop.is_set():
                return None
            digest.update(block)
            size += len(block)
    return Media(
        sha256=digest.hexdigest(),
        type=kind.media_type,
        size=size,
        role="original",
        name=printable_name(path.name)[-_NAME_CHARACTERS:],
    )
