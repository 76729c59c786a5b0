"""Interface of every media store; content is named by its SHA-256, so equal bytes are stored once."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from contract.errors import WildpostError


class MediaMissing(WildpostError, LookupError):
    """The store has no content with this hash, or not yet."""


class MediaStore(Protocol):
    """Stores the bytes of thumbnails and clips.

    Every method raises ``StoreUnavailable`` if the store is on another machine that does not answer.
    """

    def put(self, data: bytes, sha256: str) -> None:
        """Store the bytes and return once they are durable; idempotent.

        Raises:
            ValueError: the bytes do not have this hash.
            OSError: the disk is full; no partial file remains.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open the content for reading.

        Raises:
            MediaMissing: the store does not have it.
        """
        ...

    def names(self) -> Iterator[str]:
        """Yield the hashes of all stored content, sorted."""
        ...
