"""A verdict: the decision of a person on a machine's detection."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from contract.messages import ObservationType

Outcome = Literal["confirmed", "corrected", "dismissed"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of a person on one detection; the one recorded last is valid, whatever the clock showed.

    Attributes:
        event_id: Id of the event.
        ordinal: Ordinal of the detection in the event; 0 for an event without detections (a corrected blank).
        outcome: "confirmed" as detected, "corrected" to the fields below, or "dismissed": nothing is there.
        observation_type: Type of the observation; "blank" for a dismissed detection.
        label: Label, as the machine wrote it or as the person typed it.
        scientific_name: Scientific name, if known.
        classified_by: User who decided.
        decided_at: Time of the decision by the server's clock, UTC.
        sequence: Position in the order of recording, which the casebook assigns: ``decided_at`` in microseconds since
            1970, or one more than the highest sequence so far if the clock was set back. 0: not recorded yet.
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

    @property
    def order(self) -> int:
        """Position in the order of verdicts; by ``decided_at`` if the casebook has assigned no sequence."""
        return self.sequence or (self.decided_at - _EPOCH) // timedelta(microseconds=1)
