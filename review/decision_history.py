"""The decisions on one capture in the order of recording, one entry for each decision of a person."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from casebook.verdicts import Outcome, Verdict
from review.cards import Card


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One decision, or one withdrawal, on one or several detections.

    Attributes:
        outcome: The decision; for a withdrawal, that of the withdrawn decision.
        label: Label after a correction.
        scientific_name: Scientific name after a correction.
        by: Who decided.
        at: When, by the server's clock.
        boxes: Numbers of the detections on the page; empty: all of them.
        withdraws: Whether this is a withdrawal.
        is_withdrawn: Whether this decision was withdrawn later.
        sequences: Sequences of the verdicts, with which the decision can be withdrawn.
    """

    outcome: Outcome
    label: str
    scientific_name: str | None
    by: str
    at: datetime
    boxes: tuple[int, ...]
    withdraws: bool
    is_withdrawn: bool
    sequences: tuple[int, ...]

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether this is a decision that nobody has withdrawn."""
        return not self.withdraws and not self.is_withdrawn


def decision_history(card: Card) -> list[HistoryEntry]:
    """Return the entries of a capture's history, oldest first."""
    by_sequence = {one.sequence: one for one in card.history}
    withdrawn = {one.withdraws for one in card.history if one.withdraws}
    numbers = {ordinal: number for number, ordinal in enumerate(card.ordinals, 1)}

    def same(one: Verdict) -> tuple[object, ...]:
        shown = by_sequence.get(one.withdraws, one)
        corrected = (shown.label, shown.scientific_name) if shown.outcome == "corrected" else None
        return one.person, one.decided_at, shown.outcome, corrected, bool(one.withdraws)

    entries = []
    for _, group in groupby(card.history, key=same):
        verdicts = list(group)
        first = by_sequence.get(verdicts[0].withdraws, verdicts[0])
        boxes = tuple(sorted(numbers[one.ordinal] for one in verdicts if one.ordinal in numbers))
        entries.append(
            HistoryEntry(
                first.outcome,
                first.label,
                first.scientific_name,
                verdicts[0].classified_by,
                verdicts[0].decided_at,
                () if len(boxes) == len(numbers) else boxes,
                bool(verdicts[0].withdraws),
                all(one.sequence in withdrawn for one in verdicts),
                tuple(one.sequence for one in verdicts),
            )
        )
    return entries
