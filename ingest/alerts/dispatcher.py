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
from contract.isolation import is_temporary
from contract.supervision import SupervisedThread, Supervisor, describe_exception
from ingest.alerts.port import AttachmentPending, Message, Notifier

_CLAIM = timedelta(seconds=20)  # an alert claimed by a process that died becomes available again after this
_RENEW_S = 5.0
_POLL_S = 1.0  # poll: another process may have queued an alert
_UNEXPECTED_ATTEMPTS = 5  # of an alert at which the server fails; then it is abandoned, and shown


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
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the delivery thread without starting it; see ``start``.

        Args:
            queue: Undelivered alerts of this notifier.
            notifier: Delivers the messages.
            compose: Writes the message of an alert with the picture that the notifier sends; may raise
                ``AttachmentPending``.
            options: Back-off and time limit.
            now: The clock.
            supervisor: Register of the failures.
        """
        self._queue, self._notifier, self._compose = queue, notifier, compose
        self._options, self._now = options, now
        self._name = f"alerts-{notifier.name}"
        self._thread = SupervisedThread(self._name, self._step, supervisor)
        self._failed_alerts = (supervisor or Supervisor()).part(f"{self._name}-alert")
        self.problem = ""

    def start(self) -> None:
        """Start the delivery thread."""
        self._thread.start()

    def wake(self) -> None:
        """Make the delivery thread query the alert queue now, before the end of its pause."""
        self._thread.wake()

    def stop(self) -> None:
        """Finish the current delivery and stop the thread; undelivered alerts stay in the queue."""
        self._thread.stop()
        self._notifier.close()

    def send_next(self) -> bool:
        """Attempt to deliver the next due alert; return False if no alert is due.

        An alert at which the server fails with an unexpected exception does not stop the others: it is retried a few
        times, and then abandoned.
        """
        due = self._queue.due(self._now())
        if due is None or not self._queue.claim(due, self._now() + _CLAIM):
            return False
        try:
            with self._claim_renewed(due):
                self._send(due.alert)
        except AttachmentPending:
            self._queue.release(due, self._now() + timedelta(seconds=0.2))
            self._thread.stopping.wait(0.2)
        except Undelivered as error:
            self._fail(due, str(error))
        except Exception as error:
            if is_temporary(error):
                raise  # the queue or the store of events; the claim expires, and the alert is due again
            self._failed_alerts.failed(error)
            self._failed_alerts.resumed()
            unexpected = f"the server fails at an alert of {due.alert.station}: {describe_exception(error)}"
            self._fail(due, unexpected, give_up=due.attempts + 1 >= _UNEXPECTED_ATTEMPTS)
        else:
            self._queue.mark_sent(due, self._now())
            self.problem = ""
        return True

    def _send(self, alert: Alert) -> None:
        """Send an alert; if composing or sending it fails with its picture, without a picture."""
        if self._notifier.picture != "none":
            try:
                self._notifier.send(self._compose(alert, self._notifier.picture))
            except Exception as error:
                if is_temporary(error):
                    raise
                self._failed_alerts.failed(error)
                self._failed_alerts.resumed()
            else:
                return
        self._notifier.send(self._compose(alert, "none"))

    @contextlib.contextmanager
    def _claim_renewed(self, due: DueAlert) -> Iterator[None]:
        """Extend the claim on an alert at regular intervals during the ``with`` block."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(_RENEW_S):
                # At worst, the alert is delivered twice.
                with self._failed_alerts.guarded(), contextlib.suppress(StoreUnavailable):
                    self._queue.extend_claim(due, self._now() + _CLAIM)

        renewing = threading.Thread(target=renew, name=f"{self._name}-claim")
        renewing.start()
        try:
            yield
        finally:
            done.set()
            renewing.join()

    def _fail(self, due: DueAlert, problem: str, give_up: bool = False) -> None:
        now = self._now()
        self.problem = f"notifier {self._notifier.name}: {problem}"
        if give_up or now - due.alert.raised_at >= timedelta(hours=self._options.give_up_hours):
            self._queue.abandon(due, now, problem)
            return
        pause = retry_delay(due.attempts, self._options.first_s, self._options.longest_s)
        self._queue.postpone(due, now + pause, problem)

    def _step(self) -> float:
        try:
            return 0.0 if self.send_next() else _POLL_S
        except StoreUnavailable as error:
            self.problem = f"notifier {self._notifier.name}: the queue is unavailable: {error}"
            raise
