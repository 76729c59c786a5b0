"""Files at which a station fails with an unexpected exception: each is tried a few times, then set aside."""

import logging
from collections import Counter

from captures.decoded import Unreadable
from contract.supervision import describe_exception
from edge.capture.clip import Clip, Unusable
from edge.capture.port import SourceLost

LOG = logging.getLogger("wildpost.station")
_ATTEMPTS = 3


class FileFailures:
    """Counter of the unexpected exceptions at each file."""

    def __init__(self) -> None:
        """Create a counter without failures."""
        self._failures: Counter[str] = Counter()  # by path

    def record(self, capture: Clip, error: Exception) -> Unusable:
        """Record an exception, and return the report that sets aside the file after the last attempt.

        Raises:
            SourceLost: the capture is tried again after a pause, or is not a file.
        """
        problem = f"{capture.name}: the station fails at it: {describe_exception(error)}"
        if capture.mark is None:
            raise SourceLost("broken", problem) from error
        self._failures[capture.mark.path] += 1
        if self._failures[capture.mark.path] < _ATTEMPTS:
            raise SourceLost("broken", problem) from error
        del self._failures[capture.mark.path]
        LOG.error("%s; the file is set aside", problem, exc_info=error)
        return Unusable(capture.name, problem, capture.size, capture.mark)


def unreadable(capture: Clip, error: Unreadable) -> Unusable:
    """Return the report that sets aside a file whose content cannot be decoded.

    Raises:
        Unreadable: the capture is not a file.
    """
    if capture.mark is None:
        raise error
    return Unusable(capture.name, str(error), capture.size, capture.mark)
