"""Interface of every media store, which stores thumbnails and clips under the SHA-256 of their content.

Equal bytes are stored once. One contract suite of tests runs against each media store.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

from contract.errors import WildpostError


class MediaMissing(WildpostError, LookupError):
    """Error raised if the media store has no content with the requested SHA-256; the content may arrive later."""


class MediaStore(Protocol):
    """Interface of a store for the bytes of thumbnails and clips.

    Every method raises ``StoreUnavailable`` if the store is on another machine that does not answer.
    """

    def put(self, data: bytes, sha256: str) -> None:
        """Store the bytes of one thumbnail or clip; otherwise as ``put_all``."""
        ...

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """Store thumbnails and clips, by their SHA-256, and return once all of them are durable; idempotent.

        Raises:
            ValueError: the bytes do not have this hash.
            OSError: the disk is full; no partial file remains.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open the content that has the given SHA-256, for reading.

        Raises:
            MediaMissing: the store does not have it.
        """
        ...

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of all stored content, sorted."""
        ...


def check_hash(sha256: str, data: bytes) -> None:
    """Check that data has the given SHA-256; raise ``ValueError`` if it has not."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"content has sha256 {found}, expected {sha256}")
