"""Ingest service, which combines the receiver and the intake."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from casebook.casebook import Casebook
from contract import Event
from contract.supervision import Supervisor
from ingest.budgets.batch_limits import BatchLimits
from ingest.budgets.options import BudgetOptions
from ingest.budgets.tally import BudgetTally
from ingest.intake import BatchResult, Intake
from ingest.media.port import MediaStore
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.metrics.supervision_metrics import SupervisionMetrics
from ingest.receive.bundle.source import BundleSource
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.receive.pipeline import ReceivePipeline
from ingest.receive.port import MessageSource
from ingest.receive.spool.live_copies import LiveCopies
from ingest.receive.spool.source import SpoolSource
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import RuleSet
from ingest.store.port import Store

_SLOW_S = 20.0  # a batch takes about a second
_BEHIND_S = 120.0


@dataclass(frozen=True, slots=True)
class IngestState:
    """State of the intake, as shown by /healthz and in progress output.

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
    """Service that receives, stores and flags messages until ``stop``; the caller closes the stores."""

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
        supervisor: Supervisor | None = None,
        folder: Path | None = None,
        budgets: BudgetOptions = BudgetOptions(),  # noqa: B008, immutable
        spool: Path | None = None,
    ) -> None:
        """Create the receiver and the intake without connecting to the broker; see ``start``.

        Args:
            store: Store for the records.
            casebook: Casebook for flags, quarantined input and media entries.
            media: Store for thumbnails and clips.
            rules: Rules that raise flags on events.
            options: Settings of the broker connection.
            incidents: Service that groups flags into incidents; None: no incidents and no alerts.
            share: Shared subscription of a group of workers; None for a single worker.
            imports: Folder from which bundles are imported; None: no bundles.
            supervisor: Register of the failures of all threads of the process.
            folder: Data folder, in which revocations are remembered; None: they are not.
            budgets: How much one station may send.
            spool: Folder for messages over the budgets, used by this process alone; None: nothing is held back.
        """
        self._stuck_after_s = options.stuck_after_s
        self._supervisor = supervisor or Supervisor()
        self.metrics = IntakeMetrics()
        self.metrics.registry.register(SupervisionMetrics(self._supervisor))
        tally = BudgetTally(self.metrics.registry)
        overloaded = incidents.record_overload if incidents else lambda station, at: None
        limits = BatchLimits(budgets, store, casebook, tally, overloaded)
        self._intake = Intake(store, casebook, media, rules, incidents, self.metrics, limits)

        def urgent(event: Event) -> bool:
            return bool(rules.evaluate(event, datetime.now(UTC)))

        live = LiveCopies(options.live_minutes, urgent)
        held_back = (
            SpoolSource(spool, budgets, tally, live, supervisor=self._supervisor)
            if spool and budgets.spool_megabytes
            else None
        )
        self._receiver = Receiver(
            options,
            urgent,
            self.metrics,
            share,
            self._supervisor,
            folder,
            held_back.divert if held_back else None,
        )
        quarantine = casebook.quarantine
        bundles = [BundleSource(imports, options.prefix, quarantine, supervisor=self._supervisor)] if imports else []
        # The spool stops first: the receiver's network thread may wait for it.
        sources: list[MessageSource] = [*([held_back] if held_back else []), self._receiver, *bundles]
        self._pipeline = ReceivePipeline(options, self._intake, sources, self.metrics, self._supervisor)

    def start(self, answer_s: float = 10.0) -> None:
        """Connect to the broker and start receiving messages.

        Args:
            answer_s: Seconds to wait for the answer of the broker before returning without it.

        Raises:
            BrokerRefused: the broker refused the connection or the subscription.
            StoreUnavailable: store or casebook does not work.
        """
        self._pipeline.start(answer_s)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and the subscription."""
        return self._receiver.connected

    @property
    def taken(self) -> BatchResult:
        """Counts of messages since the start."""
        return self._pipeline.totals

    def state(self) -> IngestState:
        """Return the current state of the intake."""
        return IngestState(
            self._receiver.connected,
            "; ".join(filter(None, (self._pipeline.problem or self._lag, self._supervisor.problem))),
            self.taken,
            self.stuck,
            self._pipeline.idle_s,
        )

    def paused(self, patience_s: float = 60.0) -> AbstractContextManager[None]:
        """Pause the intake during the ``with`` block; every batch is then in all databases or in none.

        Args:
            patience_s: Seconds to wait for the current batches.

        Raises:
            StoreUnavailable: a current batch did not end in time.
        """
        return self._pipeline.paused(patience_s)

    @property
    def stuck(self) -> str:
        """Reason why the intake cannot recover without a restart, as text; empty if it runs or is retrying."""
        silent_s = self._pipeline.silent_s
        if silent_s > self._stuck_after_s:
            return f"no heartbeat of the receive loop for {silent_s:.0f} s: a commit hangs"
        return self._supervisor.stuck(self._stuck_after_s)

    @property
    def _lag(self) -> str:
        """Description of a growing delay until messages are stored; "" if there is none."""
        if self._pipeline.oldest_s > _SLOW_S:
            return f"messages wait more than {_SLOW_S:.0f} s until they are stored: the database or the disk is slow"
        if self._receiver.behind_s > _BEHIND_S:
            return f"the broker has had a backlog for more than {_BEHIND_S:.0f} s: messages arrive faster than stored"
        return ""

    def stop(self, forget: bool = False) -> None:
        """Finish the current batches and disconnect from the broker, which queues new messages for the session.

        Args:
            forget: Whether to end the broker session; only if the session has no messages left.
        """
        if forget:
            self._receiver.forget_session()
        self._pipeline.stop()
