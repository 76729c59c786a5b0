"""Looks at the stations by the clock: silence sends no message that would tell of it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from contract.errors import StoreUnavailable


class StationWatchLoop:
    """Looks at the clock for as long as the server runs."""

    def __init__(
        self,
        look: Callable[[datetime, datetime], object],
        listening: Callable[[], bool],
        every_s: float = 20.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare.

        Args:
            look: Is told the time, and since when stations could be heard.
            listening: Whether they can be heard just now.
            every_s: How often to look.
            now: The clock.
        """
        self._look, self._listening, self._every_s, self._now = look, listening, every_s, now
        self._since: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="station-watch")
        self.problem = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def run_once(self) -> None:
        """Look once."""
        now = self._now()
        if not self._listening():
            self._since = None
            return
        self._since = self._since or now
        try:
            self._look(now, self._since)
            self.problem = ""
        except StoreUnavailable as error:
            self.problem = f"stations are not watched until this is mended: {error}"

    def _run(self) -> None:
        self.run_once()
        while not self._stopping.wait(self._every_s):
            self.run_once()
