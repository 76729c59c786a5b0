"""Periodic check for stations that send no messages or report a sensor that cannot watch.

A silent station sends no message that could start a check.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from contract.errors import TemporaryFailure
from contract.supervision import SupervisedThread, Supervisor


class StationWatchLoop:
    """Thread that checks all stations for problems at a fixed interval; see ``IncidentService.check_stations``."""

    def __init__(
        self,
        check: Callable[[datetime, datetime], object],
        listening: Callable[[], bool],
        every_s: float = 20.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the checking thread without starting it; see ``start``.

        Args:
            check: Called with the current time and the time since which messages can arrive.
            listening: Returns whether messages from stations can arrive now.
            every_s: Seconds between two checks.
            now: The clock.
            supervisor: Register of the failures.
        """
        self._check, self._listening, self._every_s, self._now = check, listening, every_s, now
        self._since: datetime | None = None
        self._thread = SupervisedThread("station-watch", self._step, supervisor, pauses_s=(every_s, 3 * every_s))
        self.problem = ""

    def start(self) -> None:
        """Start the checking thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the checking thread and wait for its end."""
        self._thread.stop()

    def run_once(self) -> None:
        """Check the stations once; skip the check while the server cannot receive messages.

        Raises:
            Exception: the check failed; ``problem`` describes a failure of the database.
        """
        now = self._now()
        if not self._listening():
            self._since = None
            return
        self._since = self._since or now
        try:
            self._check(now, self._since)
            self.problem = ""
        except TemporaryFailure as error:
            self.problem = f"stations are not checked until this is resolved: {error}"
            raise

    def _step(self) -> float:
        self.run_once()
        return self._every_s
