"""The server's intake as one thing to start, watch and stop."""

from dataclasses import dataclass

from ingest.casebook import Casebook
from ingest.incidents.desk import IncidentDesk
from ingest.intake import Intake, Taken
from ingest.media.port import MediaStore
from ingest.receiver import Receiver, ReceiverOptions
from ingest.rules import Rules
from ingest.store.port import Store
from ingest.verdicts import hand_over_verdicts


@dataclass(frozen=True, slots=True)
class ServingState:
    """How the intake fares, for /healthz and for progress.

    Attributes:
        connected: Whether the broker has accepted us.
        problem: What is in the way right now, in words; empty: nothing.
        taken: What came in since the start.
    """

    connected: bool
    problem: str
    taken: Taken


class Serving:
    """Receives, keeps and flags until it is stopped. What it is given stays the caller's to close."""

    def __init__(
        self,
        store: Store,
        casebook: Casebook,
        media: MediaStore,
        rules: Rules,
        options: ReceiverOptions,
        incidents: IncidentDesk | None = None,
    ) -> None:
        self._store = store
        self._casebook = casebook
        self._receiver = Receiver(options, Intake(store, casebook, media, rules, incidents).take)

    def start(self, answer_s: float = 10.0) -> None:
        """Hand the store the verdicts a crash kept from it, then begin to receive.

        Raises:
            BrokerRefused: the broker answered and refused us.
            StoreUnavailable: store or casebook does not work.
        """
        hand_over_verdicts(self._casebook, self._store)
        self._receiver.start(answer_s)

    def state(self) -> ServingState:
        """Tell how it fares.

        Raises:
            BaseException: whatever ended the intake, a fault of ours.
        """
        self._receiver.check()
        return ServingState(self._receiver.connected, self._receiver.problem, self._receiver.totals)

    def stop(self) -> None:
        """Finish what is in hand and leave the broker; it keeps what comes meanwhile."""
        self._receiver.stop()
