"""Writer of bundles, which are tar archives."""

import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from contract.bundle.documents import Manifest, bundle_name, encode_document
from contract.durable_file import durable_file

MANIFEST = "manifest.json"
BLOCK_BYTES = 512  # tar: POSIX.1-1988 (ustar), headers and padding


def padded(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes occupies in a tar archive, without its header."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def write_bundle(folder: Path, manifest: Manifest, payloads: Iterable[bytes]) -> Path:
    """Write a bundle into a folder; the file appears in the folder only when it is complete.

    Args:
        folder: Folder for the file.
        manifest: Table of contents of the bundle.
        payloads: Message payloads, one for each entry of the manifest, in the same order.

    Returns:
        Path of the file.

    Raises:
        OSError: the folder is not there, is not writable, or is full.
    """
    document = encode_document(manifest)
    path = folder / bundle_name(manifest, document)
    modified = int(manifest.created_at.timestamp())
    with durable_file(path) as file:
        _add(file, MANIFEST, document, modified)
        for position, (entry, payload) in enumerate(zip(manifest.entries, payloads, strict=True)):
            assert len(payload) == entry.size  # noqa: S101, the reader finds each entry by the sizes before it
            _add(file, f"messages/{position:06}", payload, modified)
        file.write(bytes(2 * BLOCK_BYTES))  # the end of the archive
    return path


def _add(file: BinaryIO, name: str, content: bytes, modified: int) -> None:
    header = tarfile.TarInfo(name)
    header.size, header.mtime = len(content), modified
    file.write(header.tobuf(tarfile.USTAR_FORMAT))
    file.write(content)
    file.write(bytes(padded(len(content)) - len(content)))
