"""Pipeline from message sources to the databases: buffering, decoding, storing in batches, acknowledgement."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager

from contract.supervision import Supervisor
from ingest.intake import BatchResult
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch_sink import BatchSink
from ingest.receive.batch_workers import BatchWorkers
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.port import MessageSource
from ingest.receive.prefetch import Prefetcher


class ReceivePipeline:
    """Pipeline that stores the messages of several sources in batches, in one common order."""

    def __init__(
        self,
        options: ReceiverOptions,
        intake: BatchSink,
        sources: Sequence[MessageSource],
        metrics: IntakeMetrics | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the buffer and the threads without starting them; see ``start``.

        Args:
            options: Size of batches and buffer, and pauses between retries.
            intake: Makes a batch durable; the batch is retried if it raises ``StoreUnavailable`` or ``OSError``.
            sources: Sources of the messages.
            metrics: Metrics to update.
            supervisor: Register of the threads' failures.
        """
        metrics = metrics or IntakeMetrics()
        self._sources = sources
        # Twice the messages in flight, so that the network thread waits here only for messages of QoS 0.
        self._buffer = MessageBuffer(2 * options.receive_maximum, 4 * options.batch_bytes)
        self._stopping = threading.Event()
        self._prefetcher = Prefetcher(self._buffer, options, self._stopping, supervisor)
        self._workers = BatchWorkers(
            intake, self._prefetcher, options, self._stopping, metrics, self._durable, supervisor
        )
        metrics.stuck_s.set_function(lambda: self.silent_s)
        metrics.oldest_s.set_function(lambda: self.oldest_s)

    @property
    def totals(self) -> BatchResult:
        """Counts of the messages processed since ``start``."""
        return self._workers.totals

    @property
    def connected(self) -> bool:
        """Whether every source is connected."""
        return all(source.connected for source in self._sources)

    @property
    def problem(self) -> str:
        """Current problems of the worker threads and the sources, as text; empty if there is none."""
        return "; ".join(filter(None, (self._workers.problem, *(source.problem for source in self._sources))))

    @property
    def oldest_s(self) -> float:
        """Seconds since the arrival of the oldest message that is being processed; 0 if there is none."""
        return self._workers.oldest_s

    @property
    def silent_s(self) -> float:
        """Seconds since the last heartbeat of the worker thread that has been silent longest; a few are normal."""
        return self._workers.silent_s

    @property
    def idle_s(self) -> float:
        """Seconds for which all sources have been idle; 0 if a source is busy or disconnected."""
        return min(source.idle_s for source in self._sources)

    def start(self, answer_s: float = 10.0) -> None:
        """Start the threads and the sources.

        Args:
            answer_s: Longest time in seconds to wait for the first response of each source.

        Raises:
            BrokerRefused: the broker answered and refused this server.
        """
        self._prefetcher.start()
        self._workers.start()
        try:
            for source in self._sources:
                source.start(self._buffer, self._stopping, answer_s)
        except BaseException:
            self.stop()
            raise

    def paused(self, patience_s: float) -> AbstractContextManager[None]:
        """Pause all worker threads during the ``with`` block; see ``BatchWorkers.paused``."""
        return self._workers.paused(patience_s)

    def stop(self, patience_s: float = 30.0) -> None:
        """Finish the current batches and stop the sources, which deliver unacknowledged messages again later.

        Args:
            patience_s: Longest time in seconds to wait for the current batches.
        """
        self._stopping.set()
        self._workers.join(patience_s)
        for source in self._sources:
            source.stop()

    def _durable(self, batch: Sequence[BufferedMessage]) -> None:
        for source in self._sources:
            source.acknowledge(batch)
