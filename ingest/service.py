"""The server's intake as one thing to start, watch and stop."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from casebook.casebook import Casebook
from ingest.intake import BatchResult, Intake
from ingest.media.port import MediaStore
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.bundle.source import BundleSource
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.receive.pipeline import ReceivePipeline
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import RuleSet
from ingest.store.port import Store


@dataclass(frozen=True, slots=True)
class IngestState:
    """How the intake fares, for /healthz and for progress.

    Attributes:
        connected: Whether the broker has accepted us.
        problem: What is in the way right now, in words; empty: nothing.
        taken: What came in since the start.
        stuck: Why it will not go on by itself, in words; empty: it does, or waits for what may come back.
        idle_s: How long it has had nothing in hand; 0: it has.
    """

    connected: bool
    problem: str
    taken: BatchResult
    stuck: str = ""
    idle_s: float = 0.0


class IngestService:
    """Receives, keeps and flags until it is stopped. What it is given stays the caller's to close."""

    def __init__(
        self,
        store: Store,
        casebook: Casebook,
        media: MediaStore,
        rules: RuleSet,
        options: ReceiverOptions,
        incidents: IncidentService | None = None,
        share: SharedSubscription | None = None,
        imports: Path | None = None,
    ) -> None:
        """Prepare; nothing is received before ``start``.

        Args:
            store: Takes the records.
            casebook: Takes flags, quarantine and the list of media.
            media: Takes thumbnails and clips.
            rules: Decide what is flagged.
            options: How to reach the broker.
            incidents: Groups flags into incidents; None: nobody is alerted.
            share: Its part in a group of workers; None: it works alone.
            imports: Folder from which bundles of a USB stick are taken in; None: from none.
        """
        self._stuck_after_s = options.stuck_after_s
        self.metrics = IntakeMetrics()
        self._intake = Intake(store, casebook, media, rules, incidents, self.metrics)
        self._receiver = Receiver(
            options,
            lambda event: bool(rules.judge(event, event.captured_at)),
            self.metrics,
            share,
        )
        bundles = [BundleSource(imports, options.prefix, casebook.quarantine)] if imports else []
        self._pipeline = ReceivePipeline(options, self._intake, [self._receiver, *bundles], self.metrics)

    def start(self, answer_s: float = 10.0) -> None:
        """Begin to receive.

        Raises:
            BrokerRefused: the broker answered and refused us.
            StoreUnavailable: store or casebook does not work.
        """
        self._pipeline.start(answer_s)

    @property
    def connected(self) -> bool:
        """Whether stations can be heard."""
        return self._receiver.connected

    def state(self) -> IngestState:
        """Tell how it fares.

        Raises:
            BaseException: whatever ended the intake, a fault of ours.
        """
        self._pipeline.check()
        return IngestState(
            self._receiver.connected,
            self._pipeline.problem,
            self._pipeline.totals,
            self.stuck,
            self._pipeline.idle_s,
        )

    def paused(self, patience_s: float = 60.0) -> AbstractContextManager[None]:
        """Hold the intake between two batches: what one brought is then in all databases, or in none.

        Raises:
            StoreUnavailable: the batch in hand did not end in time.
        """
        return self._pipeline.paused(patience_s)

    @property
    def stuck(self) -> str:
        """Why the intake will not go on by itself, in words; empty: it does, or waits for what may come back."""
        if failure := self._pipeline.failure:
            return f"the intake ended: {failure!r}"
        silent_s = self._pipeline.silent_s
        if silent_s > self._stuck_after_s:
            return f"the receiving loop has given no sign of life for {silent_s:.0f} s: a commit hangs"
        return ""

    def stop(self, forget: bool = False) -> None:
        """Finish what is in hand and leave the broker; it keeps what comes meanwhile.

        Args:
            forget: Have it keep nothing: only for a worker that retires and has nothing left.
        """
        if forget:
            self._receiver.forget_session()
        self._pipeline.stop()
