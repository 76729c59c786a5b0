"""Worker threads that store batches concurrently, then conclude and acknowledge them in order of arrival."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from contract.errors import StoreUnavailable
from ingest.intake import BatchResult, StoredBatch
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch import Batch
from ingest.receive.message_buffer import BufferedMessage
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.prefetch import Prefetcher

Result = TypeVar("Result")


class BatchSink(Protocol):
    """Interface of an object that makes a batch durable in two idempotent steps, ``store`` and ``conclude``."""

    @property
    def max_concurrent_batches(self) -> int:
        """Maximum number of batches that ``store`` may write concurrently."""
        ...

    def store(self, batch: Batch) -> StoredBatch:
        """Store a batch; ``StoreUnavailable`` or ``OSError`` means that the caller must retry."""
        ...

    def conclude(self, batch: Batch, stored: StoredBatch) -> BatchResult:
        """Apply rules to a stored batch and record its flags and incidents; raises the same errors as ``store``."""
        ...


class _BatchAbandoned(Exception):
    """Error raised if the server stops before a batch is durable; the messages of the batch are delivered again."""


class BatchWorkers:
    """Worker threads for concurrent batches; each thread retries its batch until the batch is durable."""

    def __init__(
        self,
        intake: BatchSink,
        ahead: Prefetcher,
        options: ReceiverOptions,
        stopping: threading.Event,
        metrics: IntakeMetrics,
        durable: Callable[[Sequence[BufferedMessage]], None],
    ) -> None:
        """Create the worker threads without starting them; see ``start``.

        Args:
            intake: Makes a batch durable.
            ahead: Source of the batches.
            options: Back-off between retries.
            stopping: Ends the threads when set.
            metrics: Metrics to update.
            durable: Called with each durable batch in order, and with an empty one while idle; calls never overlap.
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
        self._changed = threading.Condition()  # guards the four fields below
        self._turn = 0  # number of the batch that may be concluded
        self._over = False  # a batch was abandoned, so no later one may be concluded
        self._busy = 0
        self._held = False
        self._totals = BatchResult()
        self._failure: BaseException | None = None
        lanes = range(max(1, intake.max_concurrent_batches))
        self._problems = ["" for _ in lanes]
        self._beats = [time.monotonic() for _ in lanes]
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name="intake", daemon=True) for lane in lanes
        ]

    @property
    def totals(self) -> BatchResult:
        """Counts of the messages processed since ``start``."""
        return self._totals

    @property
    def problem(self) -> str:
        """Reason why the current batches cannot be made durable, as text; empty if there is no problem."""
        return next(filter(None, self._problems), "")

    @property
    def failure(self) -> BaseException | None:
        """The unexpected exception that ended a worker thread; None if all worker threads run."""
        return self._failure

    @property
    def silent_s(self) -> float:
        """Seconds since the last heartbeat of the worker thread that has been silent longest."""
        return time.monotonic() - min(self._beats)

    def start(self) -> None:
        """Start the worker threads."""
        self._beats = [time.monotonic() for _ in self._beats]
        for thread in self._threads:
            thread.start()

    def join(self, patience_s: float) -> None:
        """Wait at most ``patience_s`` seconds for the worker threads to end after ``stopping`` is set."""
        until = time.monotonic() + patience_s
        for thread in self._threads:
            if thread.is_alive() and threading.current_thread() is not thread:
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

    def _work(self, lane: int) -> None:
        try:
            while not self._stopping.is_set() and self._failure is None:
                self._beats[lane] = time.monotonic()
                if self._may_begin():
                    try:
                        self._take_next(lane)
                    finally:
                        with self._changed:
                            self._busy -= 1
                            self._changed.notify_all()
        except _BatchAbandoned:
            self._give_up()
        except BaseException as failure:
            self._failure = failure
            self._problems[lane] = f"the intake ended: {failure!r}"
            self._give_up()
            raise

    def _may_begin(self) -> bool:
        with self._changed:
            if self._held:
                self._changed.wait(0.2)
                return False
            self._busy += 1
            return True

    def _take_next(self, lane: int) -> None:
        with self._drawing:
            ready = self._ahead.next(0.2)
            number = self._drawn
            self._drawn += ready is not None
        if ready is None:
            self._tell(())
            return
        some, batch = ready
        began = time.monotonic()
        stored = self._patiently(lane, lambda: self._intake.store(batch))
        self._await_turn(lane, number)
        self._totals += self._patiently(lane, lambda: self._intake.conclude(batch, stored))
        self._metrics.batch_s.observe(time.monotonic() - began)
        self._metrics.batch_size.observe(batch.received)
        self._tell(some)
        with self._changed:
            self._turn += 1
            self._changed.notify_all()

    def _patiently(self, lane: int, step: Callable[[], Result]) -> Result:
        wait_s = self._options.retry_min_s
        while True:
            self._beats[lane] = time.monotonic()
            try:
                result = step()
            except (StoreUnavailable, OSError) as error:
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

    def _give_up(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _tell(self, some: Sequence[BufferedMessage]) -> None:
        with self._telling:
            self._durable(some)
