"""The way of a message from its source to the databases: buffer, decoding, batches, acknowledgement."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager

from ingest.intake import BatchResult
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.batch_workers import BatchSink, BatchWorkers
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.port import MessageSource
from ingest.receive.prefetch import Prefetcher


class ReceivePipeline:
    """Takes messages from sources and makes them durable, in batches and in one order for all sources."""

    def __init__(
        self,
        options: ReceiverOptions,
        intake: BatchSink,
        sources: Sequence[MessageSource],
        metrics: IntakeMetrics | None = None,
    ) -> None:
        """Prepare; nothing is received before ``start``.

        Args:
            options: Size of batches and buffer, and pauses between retries.
            intake: Makes a batch durable, or raises ``StoreUnavailable`` or ``OSError``: then the batch is retried.
            sources: Where messages come from.
            metrics: Counters to update.
        """
        metrics = metrics or IntakeMetrics()
        self._sources = sources
        # Twice the messages in flight, so that the network thread waits here only for messages of QoS 0.
        self._buffer = MessageBuffer(2 * options.receive_maximum, 4 * options.batch_bytes)
        self._stopping = threading.Event()
        self._prefetcher = Prefetcher(self._buffer, options, self._stopping)
        self._workers = BatchWorkers(intake, self._prefetcher, options, self._stopping, metrics, self._durable)
        metrics.stuck_s.set_function(lambda: self.silent_s)

    @property
    def totals(self) -> BatchResult:
        """What was received since the start."""
        return self._workers.totals

    @property
    def connected(self) -> bool:
        """Whether every source is connected."""
        return all(source.connected for source in self._sources)

    @property
    def problem(self) -> str:
        """What keeps the pipeline from working, in words; "": nothing."""
        return "; ".join(filter(None, (self._workers.problem, *(source.problem for source in self._sources))))

    @property
    def silent_s(self) -> float:
        """Seconds since the receive loop's last heartbeat; a few are normal."""
        return self._workers.silent_s

    @property
    def idle_s(self) -> float:
        """Seconds since the last message was acknowledged; 0: some are not, or a source is not connected."""
        return min(source.idle_s for source in self._sources)

    @property
    def failure(self) -> BaseException | None:
        """The unexpected exception that ended the pipeline; retrying cannot help."""
        return self._workers.failure

    def check(self) -> None:
        """Raise the exception that ended the pipeline, if there is one."""
        if self.failure is not None:
            raise self.failure

    def start(self, answer_s: float = 10.0) -> None:
        """Start the threads and the sources.

        Args:
            answer_s: How long to wait for a source's first answer before going on without it.

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
        """Hold all batches; see ``BatchWorkers.paused``."""
        return self._workers.paused(patience_s)

    def stop(self, patience_s: float = 30.0) -> None:
        """Finish the batches in work and stop the sources; unacknowledged messages will be delivered again.

        Args:
            patience_s: How long to wait for the batches in work.
        """
        self._stopping.set()
        self._workers.join(patience_s)
        for source in self._sources:
            source.stop()

    def _durable(self, batch: Sequence[BufferedMessage]) -> None:
        for source in self._sources:
            source.acknowledge(batch)
