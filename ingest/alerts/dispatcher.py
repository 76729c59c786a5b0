"""Carries alerts out: takes what waits for one notifier, tells it, and tries again for as long as it makes sense."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from casebook.incidents.alert_queue import AlertQueue, DueAlert, retry_delay
from casebook.incidents.repository import Alert
from contract.errors import StoreUnavailable, Undelivered
from ingest.alerts.port import AttachmentPending, Message, Notifier

_CLAIM = timedelta(seconds=20)  # what a process that died had in hand is free for others after this
_RENEW_S = 5.0
_POLL_S = 1.0  # another process may have raised an alert


class RetryOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to try.

    Attributes:
        first_s: Pause after the first failure; doubled after each.
        longest_s: And at the longest.
        give_up_hours: An alert this old is given up; the log keeps it.
    """

    first_s: Annotated[float, Meta(gt=0)] = 5.0
    longest_s: Annotated[float, Meta(gt=0)] = 900.0
    give_up_hours: Annotated[float, Meta(gt=0)] = 48.0


class Dispatcher:
    """One thread for one notifier, so that a dead mail server keeps no messenger waiting."""

    def __init__(
        self,
        queue: AlertQueue,
        notifier: Notifier,
        compose: Callable[[Alert, str], Message],
        options: RetryOptions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare.

        Args:
            queue: What waits for this notifier.
            notifier: Who is told.
            compose: Writes the message of an alert with the picture that the notifier wants; may raise
                ``AttachmentPending``.
            options: How long to try.
            now: The clock.
        """
        self._queue, self._notifier, self._compose = queue, notifier, compose
        self._options, self._now = options, now
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"alerts-{notifier.name}")
        self.problem = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to tell."""
        self._wake.set()

    def stop(self) -> None:
        """Finish what is in hand; the rest waits for the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._notifier.close()

    def send_next(self) -> bool:
        """Tell one alert; False where there is none to tell now."""
        due = self._queue.due(self._now())
        if due is None or not self._queue.claim(due, self._now() + _CLAIM):
            return False
        try:
            with self._claim_renewed(due):
                self._notifier.send(self._compose(due.alert, self._notifier.picture))
        except AttachmentPending:
            self._queue.release(due, self._now() + timedelta(seconds=0.2))
            self._wake.wait(0.2)
        except Undelivered as error:
            self._fail(due, str(error))
        else:
            self._queue.mark_sent(due, self._now())
            self.problem = ""
        return True

    @contextlib.contextmanager
    def _claim_renewed(self, due: DueAlert) -> Iterator[None]:
        """Keep others from telling it, for as long as the attempt takes."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(_RENEW_S):
                with contextlib.suppress(StoreUnavailable):  # at worst it is told twice
                    self._queue.extend_claim(due, self._now() + _CLAIM)

        renewing = threading.Thread(target=renew, name=f"{self._thread.name}-in-hand")
        renewing.start()
        try:
            yield
        finally:
            done.set()
            renewing.join()

    def _fail(self, due: DueAlert, problem: str) -> None:
        now = self._now()
        self.problem = f"alerts by {self._notifier.name}: {problem}"
        if now - due.alert.raised_at >= timedelta(hours=self._options.give_up_hours):
            self._queue.abandon(due, now, problem)
            return
        pause = retry_delay(due.attempts, self._options.first_s, self._options.longest_s)
        self._queue.postpone(due, now + pause, problem)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                told = self.send_next()
            except StoreUnavailable as error:
                told, self.problem = False, f"alerts by {self._notifier.name} wait: {error}"
            if not told:
                self._wake.wait(_POLL_S)
