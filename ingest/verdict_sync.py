"""Hands verdicts over from the casebook to the detection store, in the background, until the store has them."""

import logging
import threading

from casebook.casebook import Casebook
from contract.errors import StoreUnavailable
from ingest.store.port import Store


class VerdictSync:
    """A thread that gives the store the verdicts it does not have yet.

    The pages apply a verdict as soon as it is recorded. This thread hands over the others: those given while the store
    was unavailable, those recorded by a process that was killed before it could apply them, and those of a restored
    casebook. Handing a verdict over twice is harmless, so several processes may do it for one casebook.
    """

    def __init__(
        self,
        casebook: Casebook,
        store: Store,
        every_s: float = 5.0,
        first_pause_s: float = 0.5,
        longest_pause_s: float = 30.0,
    ) -> None:
        """Prepare; nothing runs before ``start``.

        Args:
            casebook: Where verdicts are recorded.
            store: Where they are to count.
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
        """Start the thread; its first attempt is made at once."""
        self._thread.start()

    def wake(self) -> None:
        """Look for unapplied verdicts now; after a failure the pause before the next attempt is still observed."""
        self._wake.set()

    def stop(self) -> None:
        """Stop after the attempt in progress; what is unapplied is handed over after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def run_once(self) -> bool:
        """Make one attempt; returns whether it succeeded. ``problem`` says why it did not."""
        try:
            waiting = self._casebook.unapplied_verdicts()
            if waiting:
                self._store.apply_verdicts(waiting)
                self._casebook.mark_applied(waiting)
        except StoreUnavailable as error:
            self.problem = f"verdicts are not counted yet, trying again: {error}"
            return False
        except Exception as error:
            problem = f"verdicts are not counted, because of an unexpected error: {error!r}"
            if problem != self.problem:  # one traceback for the same error, however often it is tried again
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
