"""Checks periodically for silent and blind stations, since silence sends no message to react to."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from contract.errors import StoreUnavailable


class StationWatchLoop:
    """A thread that checks the stations at a fixed interval while the server runs."""

    def __init__(
        self,
        check: Callable[[datetime, datetime], object],
        listening: Callable[[], bool],
        every_s: float = 20.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the thread; ``start`` starts it.

        Args:
            check: Called with the current time and the time since which messages can arrive.
            listening: Returns whether messages from stations can arrive now.
            every_s: Seconds between two checks.
            now: The clock.
        """
        self._check, self._listening, self._every_s, self._now = check, listening, every_s, now
        self._since: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="station-watch")
        self.problem = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stopping.set()
        self._thread.join()

    def run_once(self) -> None:
        """Run one check, unless the server cannot receive messages."""
        now = self._now()
        if not self._listening():
            self._since = None
            return
        self._since = self._since or now
        try:
            self._check(now, self._since)
            self.problem = ""
        except StoreUnavailable as error:
            self.problem = f"stations are not checked until this is resolved: {error}"

    def _run(self) -> None:
        self.run_once()
        while not self._stopping.wait(self._every_s):
            self.run_once()
