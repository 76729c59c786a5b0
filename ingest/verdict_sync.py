"""Background thread that applies verdicts from the casebook to the detection store, with retries."""

from collections.abc import Sequence

from casebook.casebook import Casebook
from casebook.verdicts import Verdict
from contract.errors import TemporaryFailure
from contract.isolation import isolate
from contract.supervision import SupervisedThread, Supervisor, describe_exception
from ingest.store.port import Store


class VerdictSync:
    """Thread that applies the casebook's unapplied verdicts to the detection store.

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
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the thread without starting it; see ``start``.

        Args:
            casebook: Source of the verdicts.
            store: Store to apply them to.
            every_s: Seconds between two queries for unapplied verdicts, while there is no failure.
            first_pause_s: Seconds until the next attempt after a failure; doubled by each further failure.
            longest_pause_s: The longest pause between two attempts, in seconds.
            supervisor: Register of the failures.
        """
        self._casebook, self._store, self._every_s = casebook, store, every_s
        pauses_s = (first_pause_s, longest_pause_s)
        self._thread = SupervisedThread("verdict-sync", self._step, supervisor, pauses_s=pauses_s)
        self.problem = ""

    def start(self) -> None:
        """Start the thread, which makes its first attempt immediately."""
        self._thread.start()

    def wake(self) -> None:
        """Make the thread query for unapplied verdicts now, except during the pause after a failure."""
        self._thread.wake()

    def stop(self) -> None:
        """Stop the thread after the attempt in progress; the next start applies the remaining verdicts."""
        self._thread.stop()

    def run_once(self) -> None:
        """Try once to apply all unapplied verdicts; ``problem`` describes a failure.

        Raises:
            Exception: some verdicts are not applied; the others are.
        """
        try:
            failed = isolate(self._casebook.unapplied_verdicts(), self._apply)
            if failed:
                raise failed[0][1]
        except TemporaryFailure as error:
            self.problem = f"verdicts are not counted yet, retrying: {error}"
            raise
        except Exception as error:
            self.problem = f"verdicts are not counted, because of an unexpected error: {describe_exception(error)}"
            raise
        self.problem = ""

    def _apply(self, verdicts: Sequence[Verdict]) -> None:
        self._store.apply_verdicts(verdicts)
        self._casebook.mark_applied(verdicts)

    def _step(self) -> float:
        self.run_once()
        return self._every_s
