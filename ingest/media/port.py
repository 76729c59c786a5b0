"""What every place for media offers; content is named by its SHA-256, so the same bytes are kept once."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from contract.errors import WildpostError


class MediaMissing(WildpostError, LookupError):
    """No content with this hash is here, or not yet."""


class MediaStore(Protocol):
    """Keeps the bytes of thumbnails and clips.

    Every method raises ``StoreUnavailable`` where the place is on another machine that did not answer.
    """

    def put(self, data: bytes, sha256: str) -> None:
        """Keep the bytes; returns when they are durable. Putting them again is harmless.

        Raises:
            ValueError: the bytes do not have this hash.
            OSError: there is no room; nothing half written stays.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open the content for reading.

        Raises:
            MediaMissing: it is not here.
        """
        ...

    def names(self) -> Iterator[str]:
        """List the hashes of all content that is here, sorted."""
        ...
