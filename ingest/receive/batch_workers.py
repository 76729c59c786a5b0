"""Worker threads that store batches concurrently, then conclude and acknowledge them in order of arrival."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from contract.errors import StoreUnavailable
from contract.isolation import is_temporary
from contract.supervision import SupervisedThread, Supervisor
from ingest.intake import BatchResult
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch import Batch, ReceivedMessage, failed_message, read_batch
from ingest.receive.batch_sink import BatchSink
from ingest.receive.batch_work import BatchWork
from ingest.receive.isolation import FailureRecord, Isolation, ServerFault
from ingest.receive.message_buffer import BufferedMessage
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.parked_batches import ParkedBatches
from ingest.receive.prefetch import Prefetcher

Result = TypeVar("Result")


class _BatchAbandoned(Exception):
    """Error raised if the server stops before a batch is durable; the messages of the batch are delivered again."""


class BatchWorkers:
    """Worker threads for concurrent batches; each thread retries its batch until the batch is durable.

    If the server fails at a batch with an unexpected exception, the failing messages are found and quarantined, and
    the others are processed. If it fails at all messages of a kind, the batch is parked: not acknowledged, and retried.
    """

    def __init__(
        self,
        intake: BatchSink,
        ahead: Prefetcher,
        options: ReceiverOptions,
        stopping: threading.Event,
        metrics: IntakeMetrics,
        durable: Callable[[Sequence[BufferedMessage]], None],
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the worker threads without starting them; see ``start``.

        Args:
            intake: Makes a batch durable.
            ahead: Source of the batches.
            options: Back-off between retries.
            stopping: Ends the threads when set.
            metrics: Metrics to update.
            durable: Called with each durable batch in order, and with an empty one while idle; calls never overlap.
            supervisor: Register of the threads' failures.
        """
        self._intake = intake
        self._ahead = ahead
        self._options = options
        self._stopping = stopping
        self._metrics = metrics
        self._durable = durable
        self._drawing = threading.Lock()  # guards taking the next batch together with its number
        self._drawn = 0
        self._telling = threading.Lock()
        self._concluding = threading.Lock()  # only one batch at a time is concluded, parked ones too
        self._changed = threading.Condition()  # guards the four fields below
        self._turn = 0  # number of the batch that may be concluded
        self._over = False  # a batch was abandoned, so no later one may be concluded
        self._busy = 0
        self._held = False
        self._totals = BatchResult()
        self._failures = FailureRecord()
        self._parked = ParkedBatches(options.retry_min_s, 4 * options.retry_max_s)
        metrics.parked.set_function(lambda: self._parked.messages)
        lanes = range(max(1, intake.max_concurrent_batches))
        self._work: list[BatchWork | None] = [None for _ in lanes]
        self._problems = ["" for _ in lanes]
        self._beats = [time.monotonic() for _ in lanes]
        self._threads = [
            SupervisedThread(f"intake-{lane + 1}", partial(self._step, lane), supervisor, stopping, daemon=True)
            for lane in lanes
        ]

    @property
    def totals(self) -> BatchResult:
        """Counts of the messages processed since ``start``."""
        return self._totals

    @property
    def problem(self) -> str:
        """Reason why the current batches cannot be made durable, as text; empty if there is no problem."""
        return next(filter(None, (*self._problems, self._parked.problem)), "")

    @property
    def silent_s(self) -> float:
        """Seconds since the last heartbeat of the worker thread that has been silent longest."""
        return time.monotonic() - min(self._beats)

    @property
    def oldest_s(self) -> float:
        """Seconds since the arrival of the oldest message that a worker thread is processing; 0 if there is none."""
        arrived = [work.messages[0].message.at for work in list(self._work) if work is not None]
        return max(0.0, (datetime.now(UTC) - min(arrived)).total_seconds()) if arrived else 0.0

    def start(self) -> None:
        """Start the worker threads."""
        self._beats = [time.monotonic() for _ in self._beats]
        for thread in self._threads:
            thread.start()

    def join(self, patience_s: float) -> None:
        """Wait at most ``patience_s`` seconds for the worker threads to end after ``stopping`` is set."""
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @contextmanager
    def paused(self, patience_s: float) -> Iterator[None]:
        """Pause all worker threads during the ``with`` block, each after its current batch.

        During the pause, every batch is in all databases or in none.

        Raises:
            StoreUnavailable: a current batch did not end in time.
        """
        until = time.monotonic() + patience_s
        late = StoreUnavailable(f"the intake did not finish its current batches in {patience_s:.0f} s")
        with self._changed:
            if not self._changed.wait_for(lambda: not self._held, patience_s):
                raise late
            self._held = True
            if not self._changed.wait_for(lambda: not self._busy, until - time.monotonic()):
                self._held = False
                raise late
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()

    def _step(self, lane: int) -> float | None:
        """Process one batch, or continue the one at which the last step failed."""
        self._beats[lane] = time.monotonic()
        try:
            if self._work[lane] is None:
                if not self._may_begin():
                    return 0.0
                try:
                    self._retry_parked(lane)
                    self._work[lane] = self._draw()
                finally:
                    if self._work[lane] is None:
                        self._end()
            if (work := self._work[lane]) is None:
                self._tell(())
                return 0.0
            self._finish(lane, work)
        except _BatchAbandoned:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            if self._work[lane] is not None:
                self._end()
            return None
        self._work[lane] = None
        self._end()
        return 0.0

    def _may_begin(self) -> bool:
        with self._changed:
            if self._held:
                self._changed.wait(0.2)
                return False
            self._busy += 1
            return True

    def _end(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _draw(self) -> BatchWork | None:
        if self._parked.messages >= 2 * self._options.receive_maximum:
            self._stopping.wait(0.2)
            return None  # more would fill the memory; the brokers and bundles keep it
        with self._drawing:
            ready = self._ahead.next(0.2)
            if ready is None:
                return None
            self._drawn += 1
            return BatchWork(self._drawn - 1, ready.messages, ready.batch, time.monotonic())

    def _finish(self, lane: int, work: BatchWork) -> None:
        if not work.concluded:
            self._make_durable(lane, work)
            self._metrics.batch_s.observe(time.monotonic() - work.began)
            self._metrics.batch_size.observe(len(work.messages))
        if not work.parked:
            self._tell(work.messages)
        with self._changed:
            self._turn = work.number + 1
            self._changed.notify_all()

    def _make_durable(self, lane: int, work: BatchWork) -> None:
        batch = work.batch
        if batch is not None and work.stored is None:
            work.stored = self._unless_it_fails(work, partial(self._patiently, lane, lambda: self._intake.store(batch)))
        self._await_turn(lane, work.number)
        with self._concluding:
            result: BatchResult | None = None
            if batch is not None and (stored := work.stored) is not None:
                step = partial(self._patiently, lane, lambda: self._intake.conclude(batch, stored))
                result = self._unless_it_fails(work, step)
            if result is not None:
                self._failures.succeeded([one.message for one in work.messages])
            else:
                try:
                    result = self._isolate(lane, work.messages)
                except ServerFault as fault:
                    self._parked.add(work.messages, fault, self._failures.successes(fault.kind))
                    result, work.parked = BatchResult(), True
            work.concluded = True
            self._totals += result

    def _unless_it_fails(self, work: BatchWork, step: Callable[[], Result]) -> Result | None:
        """Return the result of a step; None if it fails unexpectedly, so that the messages are processed singly."""
        try:
            return step()
        except _BatchAbandoned:
            raise
        except Exception:  # noqa: BLE001, the isolation finds the message, and reports the exception with it
            work.batch = None
            return None

    def _isolate(self, lane: int, messages: Sequence[BufferedMessage], refuted: Sequence[str] = ()) -> BatchResult:
        def set_aside(message: ReceivedMessage, error: BaseException) -> BatchResult:
            self._metrics.set_aside.labels(type(error).__name__).inc()
            self._failures.log(message, error)
            return self._process(lane, Batch(1, unusable=[failed_message(message, error)]))

        isolation = Isolation(lambda some: self._process(lane, read_batch(some)), set_aside, self._failures, refuted)
        return isolation.run([one.message for one in messages])

    def _process(self, lane: int, batch: Batch) -> BatchResult:
        stored = self._patiently(lane, lambda: self._intake.store(batch))
        return self._patiently(lane, lambda: self._intake.conclude(batch, stored))

    def _retry_parked(self, lane: int) -> None:
        """Process the oldest parked batch again, if its pause is over or a message of its kind has succeeded."""
        parked = self._parked.take(self._failures.successes)
        if parked is None:
            return
        fault, told = parked.fault, False
        try:
            with self._concluding:
                self._totals += self._isolate(lane, parked.messages, [parked.kind] if parked.refuted else [])
            self._tell(parked.messages)
            told = True
        except ServerFault as error:
            fault = error
        finally:
            if told:
                self._parked.remove(parked)
            else:
                self._parked.put_back(parked, fault, self._failures.successes(fault.kind))

    def _patiently(self, lane: int, step: Callable[[], Result]) -> Result:
        wait_s = self._options.retry_min_s
        while True:
            self._beats[lane] = time.monotonic()
            try:
                result = step()
            except Exception as error:
                if not is_temporary(error):
                    self._problems[lane] = ""
                    raise
                self._problems[lane] = f"nothing is acknowledged until this is resolved: {error}"
                self._metrics.refused.inc()
            else:
                self._problems[lane] = ""
                return result
            if self._stopping.wait(wait_s):
                raise _BatchAbandoned
            wait_s = min(2 * wait_s, self._options.retry_max_s)

    def _await_turn(self, lane: int, number: int) -> None:
        with self._changed:
            while self._turn != number:
                if self._over:
                    raise _BatchAbandoned
                self._beats[lane] = time.monotonic()
                self._changed.wait(0.2)

    def _tell(self, some: Sequence[BufferedMessage]) -> None:
        with self._telling:
            self._durable(some)
