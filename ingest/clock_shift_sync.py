"""Background thread that applies corrected clocks from the casebook to the detection store, with retries."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from casebook.clock_shifts import ClockShift
from contract.supervision import SupervisedThread, Supervisor

LOG = logging.getLogger("wildpost.ingest")


class ShiftableStore(Protocol):
    """A detection store that can move captures to corrected times; implemented by ``DuckDbStore``."""

    def set_clock_shifts(self, shifts: Sequence[ClockShift]) -> dict[str, int]:
        """Make the given corrections the ones in force; return how many captures each moved, by its number."""
        ...


class ClockShiftSync:
    """Thread that keeps the detection store's corrections equal to those in force in the casebook.

    A correction is recorded by a command in a process of its own, while the server has the detection store open.
    """

    def __init__(
        self,
        in_force: Callable[[], Sequence[ClockShift]],
        store: ShiftableStore,
        every_s: float = 5.0,
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the thread without starting it; see ``start``.

        Args:
            in_force: Returns the corrections in force; see ``ClockShifts``.
            store: Store to apply them to.
            every_s: Seconds between two queries for corrections.
            supervisor: Register of the failures.
        """
        self._in_force, self._store, self._every_s = in_force, store, every_s
        self._applied: Sequence[ClockShift] | None = None
        self._thread = SupervisedThread("clock-shifts", self._step, supervisor)

    def start(self) -> None:
        """Start the thread, which makes its first attempt immediately."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the attempt in progress."""
        self._thread.stop()

    def run_once(self) -> None:
        """Apply the corrections in force once, if they changed.

        Raises:
            StoreUnavailable: store or casebook did not answer.
        """
        shifts = self._in_force()
        if shifts == self._applied:
            return
        moved = self._store.set_clock_shifts(shifts)
        if shifts or self._applied:
            found = ", ".join(f"{number}: {captures} captures" for number, captures in moved.items())
            LOG.info("clock corrections in force: %s", found or "none")
        self._applied = shifts

    def _step(self) -> float:
        self.run_once()
        return self._every_s
