"""What a person decided about a detection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contract.messages import ObservationType

Outcome = Literal["confirmed", "corrected", "dismissed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decided about one detection; the latest verdict wins, and the machine's label is kept beside it.

    Attributes:
        event_id: The event.
        ordinal: Which of its detections; 0 for an event without any (a blank that a person corrects).
        outcome: Confirmed as it is, corrected to what follows, or dismissed: nothing there.
        observation_type: What it is; for a dismissed one "blank".
        label: What to call it, as the machine does or as the person typed it.
        scientific_name: Its taxon, where known.
        classified_by: Who decided.
        decided_at: When, UTC.
    """

    event_id: str
    ordinal: int
    outcome: Outcome
    observation_type: ObservationType
    label: str
    scientific_name: str | None
    classified_by: str
    decided_at: datetime
