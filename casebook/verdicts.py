"""A verdict: the decision of a person on a machine's detection, and what follows from all verdicts on an event."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from contract.errors import WildpostError
from contract.messages import ObservationType

Outcome = Literal["confirmed", "corrected", "dismissed", "withdrawn"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of a person on one detection, or the withdrawal of an earlier one.

    The verdict recorded last is valid, whatever the clock showed; a withdrawal says what is valid after it.

    Attributes:
        event_id: Id of the event.
        ordinal: Ordinal of the detection in the event; 0 for an event without detections (a corrected blank).
        outcome: "confirmed" as detected, "corrected" to the fields below, "dismissed": nothing is there, "withdrawn":
            no decision is valid any more. A withdrawal that makes an earlier decision valid again has its outcome.
        observation_type: Type of the observation; "blank" for a dismissed detection.
        label: Label, as the machine wrote it or as the person typed it.
        scientific_name: Scientific name, if known.
        classified_by: Name of the person who decided, as it was then.
        decided_at: Time of the decision by the server's clock, UTC.
        sequence: Position in the order of recording, which the casebook assigns: ``decided_at`` in microseconds since
            1970, or one more than the highest sequence so far if the clock was set back. 0: not recorded yet.
        withdraws: For a withdrawal, the ``sequence`` of the withdrawn decision; 0 for a decision.
        actor_id: Id of the account of the person; "" for somebody without an account.
    """

    event_id: str
    ordinal: int
    outcome: Outcome
    observation_type: ObservationType
    label: str
    scientific_name: str | None
    classified_by: str
    decided_at: datetime
    sequence: int = field(default=0, compare=False)
    withdraws: int = 0
    actor_id: str = ""

    @property
    def person(self) -> tuple[str, str]:
        """Who decided: two people of one name have different accounts."""
        return self.actor_id, self.classified_by

    @property
    def order(self) -> int:
        """Position in the order of verdicts; by ``decided_at`` if the casebook has assigned no sequence."""
        return self.sequence or (self.decided_at - _EPOCH) // timedelta(microseconds=1)

    @property
    def content(self) -> tuple[str, str, str | None, int]:
        """What was decided, without who decided and when: outcome, label, scientific name, withdrawn decision."""
        return self.outcome, self.label, self.scientific_name, self.withdraws


class VerdictConflict(WildpostError):
    """Somebody decided on a detection after the decider had read it; nothing was recorded.

    Attributes:
        latest: The latest verdict on each detection in conflict.
    """

    def __init__(self, latest: Iterable[Verdict]) -> None:
        """Store the verdicts that the decider did not know."""
        self.latest = tuple(latest)
        super().__init__(
            ", ".join(f"detection {one.ordinal}: {one.outcome} by {one.classified_by}" for one in self.latest)
        )


def verdicts_in_force(history: Iterable[Verdict]) -> dict[int, Verdict]:
    """Return the latest decision on each detection that was not withdrawn, by the detection's ordinal."""
    ordered = sorted(history, key=lambda one: one.order)
    withdrawn = {one.withdraws for one in ordered if one.withdraws}
    return {one.ordinal: one for one in ordered if not one.withdraws and one.sequence not in withdrawn}


def latest_sequences(history: Iterable[Verdict]) -> dict[int, int]:
    """Return the sequence of the latest verdict on each detection, withdrawals included, by the detection's ordinal."""
    found: dict[int, int] = {}
    for one in history:
        found[one.ordinal] = max(found.get(one.ordinal, 0), one.sequence)
    return found
