"""What every source of captures offers."""

import threading
from collections.abc import Iterator
from typing import Protocol

from contract.errors import TemporaryFailure
from contract.messages import Gap
from edge.capture.clip import Clip, Unusable


class SourceLost(TemporaryFailure):
    """The source gives nothing just now: unplugged, unmounted, out of reach. Ask it again after a while.

    Attributes:
        gap: The cause, for the record of effort.
    """

    def __init__(self, gap: Gap, detail: str) -> None:
        super().__init__(detail)
        self.gap = gap


class Source(Protocol):
    """Yields what a sensor captures."""

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | Unusable | None]:
        """Yield captures until told to stop, and None now and then where it watched and nothing came.

        Args:
            stop: Set when the station ends.
            once: End when all that is there has been yielded, instead of waiting for more.

        Raises:
            SourceLost: nothing can be had now; calling again is how to go on.
        """
        ...
