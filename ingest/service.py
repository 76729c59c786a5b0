"""The server's intake as one thing to start, watch and stop."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from casebook.casebook import Casebook
from ingest.intake import BatchResult, Intake
from ingest.media.port import MediaStore
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.mqtt.shared_subscription import SharedSubscription
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
    ) -> None:
        self._stuck_after_s = options.stuck_after_s
        self.metrics = IntakeMetrics()
        self._intake = Intake(store, casebook, media, rules, incidents, self.metrics)
        self._receiver = Receiver(
            options,
            self._intake,
            lambda event: bool(rules.evaluate(event, event.captured_at)),
            self.metrics,
            share,
        )

    def start(self, answer_s: float = 10.0) -> None:
        """Begin to receive.

        Raises:
            BrokerRefused: the broker answered and refused us.
            StoreUnavailable: store or casebook does not work.
        """
        self._receiver.start(answer_s)

    @property
    def connected(self) -> bool:
        """Whether stations can be heard."""
        return self._receiver.connected

    def state(self) -> IngestState:
        """Tell how it fares.

        Raises:
            BaseException: whatever ended the intake, a fault of ours.
        """
        self._receiver.check()
        return IngestState(
            self._receiver.connected,
            self._receiver.problem,
            self._receiver.totals,
            self.stuck,
            self._receiver.idle_s,
        )

    def paused(self, patience_s: float = 60.0) -> AbstractContextManager[None]:
        """Hold the intake between two batches: what one brought is then in all databases, or in none.

        Raises:
            StoreUnavailable: the batch in hand did not end in time.
        """
        return self._receiver.paused(patience_s)

    @property
    def stuck(self) -> str:
        """Why the intake will not go on by itself, in words; empty: it does, or waits for what may come back."""
        if failure := self._receiver.failure:
            return f"the intake ended: {failure!r}"
        silent_s = self._receiver.silent_s
        if silent_s > self._stuck_after_s:
            return f"the receiving loop has given no sign of life for {silent_s:.0f} s: a commit hangs"
        return ""

    def stop(self, forget: bool = False) -> None:
        """Finish what is in hand and leave the broker; it keeps what comes meanwhile.

        Args:
            forget: Have it keep nothing: only for a worker that retires and has nothing left.
        """
        self._receiver.stop(forget=forget)
