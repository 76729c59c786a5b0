"""A verdict: the decision of a person on a machine's detection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contract.messages import ObservationType

Outcome = Literal["confirmed", "corrected", "dismissed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of a person on one detection; the latest decision on a detection is valid.

    Attributes:
        event_id: Id of the event.
        ordinal: Ordinal of the detection in the event; 0 for an event without detections (a corrected blank).
        outcome: "confirmed" as detected, "corrected" to the fields below, or "dismissed": nothing is there.
        observation_type: Type of the observation; "blank" for a dismissed detection.
        label: Label, as the machine wrote it or as the person typed it.
        scientific_name: Scientific name, if known.
        classified_by: User who decided.
        decided_at: Time of the decision, UTC.
    """

    event_id: str
    ordinal: int
    outcome: Outcome
    observation_type: ObservationType
    label: str
    scientific_name: str | None
    classified_by: str
    decided_at: datetime
