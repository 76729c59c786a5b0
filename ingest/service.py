"""The ingest service: receiver and intake behind one start, state and stop."""

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
    """State of the intake, for /healthz and progress output.

    Attributes:
        connected: Whether the broker has accepted the connection and the subscription.
        problem: Current problem as text; empty if there is none.
        taken: Counts of the messages processed since the start.
        stuck: Why the intake cannot recover without a restart, as text; empty if it can.
        idle_s: Seconds without a message in process; 0 while one is.
    """

    connected: bool
    problem: str
    taken: BatchResult
    stuck: str = ""
    idle_s: float = 0.0


class IngestService:
    """Receives, stores and flags messages until it is stopped. The caller closes the stores it passes in."""

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
        """Connect and start receiving.

        Args:
            answer_s: Seconds to wait for the answer of the broker before returning without it.

        Raises:
            BrokerRefused: the broker refused the connection or the subscription.
            StoreUnavailable: store or casebook does not work.
        """
        self._receiver.start(answer_s)

    @property
    def connected(self) -> bool:
        """Whether messages from stations can arrive."""
        return self._receiver.connected

    def state(self) -> IngestState:
        """Return the current state.

        Raises:
            BaseException: the unexpected exception that ended the intake.
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
        """Pause the intake between two batches, so that every batch is in all databases or in none.

        Args:
            patience_s: Seconds to wait for the current batches.

        Raises:
            StoreUnavailable: a current batch did not end in time.
        """
        return self._receiver.paused(patience_s)

    @property
    def stuck(self) -> str:
        """Why the intake cannot recover without a restart, as text; empty if it runs or is retrying."""
        if failure := self._receiver.failure:
            return f"the intake ended: {failure!r}"
        silent_s = self._receiver.silent_s
        if silent_s > self._stuck_after_s:
            return f"no heartbeat of the receive loop for {silent_s:.0f} s: a commit hangs"
        return ""

    def stop(self, forget: bool = False) -> None:
        """Finish the current batches and disconnect; the broker keeps the session and queues new messages.

        Args:
            forget: End the session at the broker; only for a retiring worker with no messages left.
        """
        self._receiver.stop(forget=forget)
