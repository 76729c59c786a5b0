"""Interface of the sources of captures."""

import threading
from collections.abc import Iterator
from typing import Protocol

from contract.errors import TemporaryFailure
from contract.messages import Gap
from edge.capture.clip import Clip, Unusable


class SourceLost(TemporaryFailure):
    """The source is unavailable: unplugged, unmounted or unreachable. Retry later.

    Attributes:
        gap: Cause of the gap in the effort record.
    """

    def __init__(self, gap: Gap, detail: str) -> None:
        super().__init__(detail)
        self.gap = gap


class Source(Protocol):
    """Source of the captures of one sensor."""

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | Unusable | None]:
        """Yield captures until ``stop`` is set, and None from time to time while there are none.

        Args:
            stop: Set when the station stops.
            once: End when all available captures have been yielded, instead of waiting for more.

        Raises:
            SourceLost: the source is unavailable; to continue, call this method again.
        """
        ...
