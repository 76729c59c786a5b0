"""Delivery of the queued alerts of one notifier, with retries and exponential back-off."""

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

_CLAIM = timedelta(seconds=20)  # an alert claimed by a process that died becomes available again after this
_RENEW_S = 5.0
_POLL_S = 1.0  # poll: another process may have queued an alert


class RetryOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Back-off and time limit of alert deliveries.

    Attributes:
        first_s: Pause after the first failure in seconds; doubled after each further failure.
        longest_s: Longest pause in seconds.
        give_up_hours: After a failed attempt, an alert this old is abandoned; its record is kept.
    """

    first_s: Annotated[float, Meta(gt=0)] = 5.0
    longest_s: Annotated[float, Meta(gt=0)] = 900.0
    give_up_hours: Annotated[float, Meta(gt=0)] = 48.0


class Dispatcher:
    """Thread that delivers the alerts of one notifier, so that a failing mail server does not delay the others."""

    def __init__(
        self,
        queue: AlertQueue,
        notifier: Notifier,
        compose: Callable[[Alert, str], Message],
        options: RetryOptions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the delivery thread without starting it; see ``start``.

        Args:
            queue: Undelivered alerts of this notifier.
            notifier: Delivers the messages.
            compose: Writes the message of an alert with the picture that the notifier sends; may raise
                ``AttachmentPending``.
            options: Back-off and time limit.
            now: The clock.
        """
        self._queue, self._notifier, self._compose = queue, notifier, compose
        self._options, self._now = options, now
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"alerts-{notifier.name}")
        self.problem = ""

    def start(self) -> None:
        """Start the delivery thread."""
        self._thread.start()

    def wake(self) -> None:
        """Make the delivery thread query the alert queue now, before the end of its pause."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the current delivery and stop the thread; undelivered alerts stay in the queue."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._notifier.close()

    def send_next(self) -> bool:
        """Attempt to deliver the next due alert; return False if no alert is due."""
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
        """Extend the claim on an alert at regular intervals during the ``with`` block."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(_RENEW_S):
                with contextlib.suppress(StoreUnavailable):  # at worst, the alert is delivered twice
                    self._queue.extend_claim(due, self._now() + _CLAIM)

        renewing = threading.Thread(target=renew, name=f"{self._thread.name}-claim")
        renewing.start()
        try:
            yield
        finally:
            done.set()
            renewing.join()

    def _fail(self, due: DueAlert, problem: str) -> None:
        now = self._now()
        self.problem = f"notifier {self._notifier.name}: {problem}"
        if now - due.alert.raised_at >= timedelta(hours=self._options.give_up_hours):
            self._queue.abandon(due, now, problem)
            return
        pause = retry_delay(due.attempts, self._options.first_s, self._options.longest_s)
        self._queue.postpone(due, now + pause, problem)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                attempted = self.send_next()
            except StoreUnavailable as error:
                attempted, self.problem = False, f"notifier {self._notifier.name}: the queue is unavailable: {error}"
            if not attempted:
                self._wake.wait(_POLL_S)
