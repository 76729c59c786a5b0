"""Applies verdicts from the casebook to the detection store in the background, with retries."""

import logging
import threading

from casebook.casebook import Casebook
from contract.errors import StoreUnavailable
from ingest.store.port import Store


class VerdictSync:
    """A thread that applies unapplied verdicts to the detection store.

    The pages apply a verdict as soon as it is recorded. This thread applies the others: those given while the store
    was unavailable, those recorded by a process that was killed before it could apply them, and those of a restored
    casebook. Applying a verdict is idempotent, so several processes may do it for one casebook.
    """

    def __init__(
        self,
        casebook: Casebook,
        store: Store,
        every_s: float = 5.0,
        first_pause_s: float = 0.5,
        longest_pause_s: float = 30.0,
    ) -> None:
        """Create the thread; ``start`` starts it.

        Args:
            casebook: Source of the verdicts.
            store: Store to apply them to.
            every_s: Seconds between two queries for unapplied verdicts, while there is no failure.
            first_pause_s: Seconds until the next attempt after a failure; doubled by each further failure.
            longest_pause_s: The longest pause between two attempts, in seconds.
        """
        self._casebook, self._store = casebook, store
        self._every_s, self._first_pause_s, self._longest_pause_s = every_s, first_pause_s, longest_pause_s
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verdict-sync")
        self.problem = ""

    def start(self) -> None:
        """Start the thread; it makes its first attempt immediately."""
        self._thread.start()

    def wake(self) -> None:
        """Query for unapplied verdicts now; after a failure, the pause before the next attempt still applies."""
        self._wake.set()

    def stop(self) -> None:
        """Stop after the attempt in progress; verdicts still unapplied are applied after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def run_once(self) -> bool:
        """Make one attempt and return whether it succeeded; ``problem`` contains the reason of a failure."""
        try:
            unapplied = self._casebook.unapplied_verdicts()
            if unapplied:
                self._store.apply_verdicts(unapplied)
                self._casebook.mark_applied(unapplied)
        except StoreUnavailable as error:
            self.problem = f"verdicts are not counted yet, retrying: {error}"
            return False
        except Exception as error:
            problem = f"verdicts are not counted, because of an unexpected error: {error!r}"
            if problem != self.problem:  # log the same error once, not at every retry
                logging.getLogger("wildpost.verdicts").exception("%s", problem)
            self.problem = problem
            return False
        self.problem = ""
        return True

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while True:
            self._wake.clear()
            if self._stopping.is_set():  # after clear(), which may have cleared the wake of stop()
                return
            if self.run_once():
                pause_s = self._first_pause_s
                self._wake.wait(self._every_s)
            else:
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, self._longest_pause_s)
