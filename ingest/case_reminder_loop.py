"""Periodic check for deadlines of cases that are near or have passed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from casebook.incidents.repository import Alert
from contract.errors import TemporaryFailure
from contract.supervision import SupervisedThread, Supervisor

EVERY_S = 60.0  # deadlines are hours and days


class CaseReminderLoop:
    """Thread that queues alerts about deadlines at a fixed interval; see ``CaseReminders.remind``."""

    def __init__(
        self,
        remind: Callable[[datetime], Sequence[Alert]],
        raised: Callable[[Sequence[Alert]], object],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the thread without starting it; see ``start``.

        Args:
            remind: Queues the alerts that are due at a time, and returns them.
            raised: Called with queued alerts.
            now: The clock.
            supervisor: Register of the failures.
        """
        self._remind, self._raised, self._now = remind, raised, now
        self._thread = SupervisedThread("case-reminders", self._step, supervisor, pauses_s=(5.0, 3 * EVERY_S))
        self.problem = ""

    def start(self) -> None:
        """Start the thread, which makes its first check immediately."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._thread.stop()

    def run_once(self) -> None:
        """Check all deadlines once.

        Raises:
            Exception: the check failed; ``problem`` describes a failure of the database.
        """
        try:
            if alerts := self._remind(self._now()):
                self._raised(alerts)
        except TemporaryFailure as error:
            self.problem = f"deadlines of cases are not checked until this is resolved: {error}"
            raise
        self.problem = ""

    def _step(self) -> float:
        self.run_once()
        return EVERY_S
