"""Interface that every source of captures implements."""

import threading
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from contract.errors import TemporaryFailure
from contract.messages import Gap
from edge.capture.clip import AlreadyHeard, Clip, Unusable


class SourceLost(TemporaryFailure):
    """Raised when a source of captures is unavailable, such as unplugged, unmounted or unreachable; retry later.

    Attributes:
        gap: Cause of the gap in the effort record.
    """

    def __init__(self, gap: Gap, detail: str) -> None:
        super().__init__(detail)
        self.gap = gap


class Source(Protocol):
    """Interface of a source that yields the captures of one sensor."""

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | AlreadyHeard | Unusable | None]:
        """Yield captures until ``stop`` is set; yield None at intervals while there is no new capture.

        Args:
            stop: Set when the station stops.
            once: End when all available captures have been yielded, instead of waiting for more.

        Raises:
            SourceLost: the source is unavailable; to continue, call this method again.
        """
        ...


@runtime_checkable
class PassesOver(Protocol):
    """A source that meets entries which are no captures."""

    @property
    def passed_over(self) -> Mapping[str, int]:
        """Number of these entries, by kind; any thread may ask."""
        ...
