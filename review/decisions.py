"""Records a person's decision in the casebook, then applies it to the store; a crash in between loses nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from casebook.verdicts import Outcome, Verdict
from contract import Event
from contract.errors import InvalidInput, StoreUnavailable
from contract.messages import ObservationType
from i18n.taxa import Taxon, taxon_named
from review.page import Site


class Undecidable(InvalidInput):
    """The decision does not fit the capture; the message says what was expected."""


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page sends: which detections of an event, and what they are.

    Attributes:
        event_id: The event.
        ordinals: Which of its detections; empty: all of them.
        outcome: Confirmed, corrected or dismissed.
        taxon: For a correction, any name of the kind it is; one the table does not know is taken as typed.
    """

    event_id: str
    outcome: Outcome
    ordinals: tuple[int, ...] = ()
    taxon: Annotated[str, msgspec.Meta(max_length=200)] = ""


def decide(site: Site, event: Event, decision: Decision, by: str) -> list[Verdict]:
    """Record a decision, and have the store count it.

    A store that does not take it now gets it later from ``VerdictSync``.

    Raises:
        Undecidable: it names a detection the event does not have, or a correction names nothing.
        StoreUnavailable: the casebook did not answer; the decision may not have been recorded.
    """
    verdicts = verdicts_for(event, decision, by, datetime.now(UTC))
    for verdict in verdicts:
        site.casebook.record_verdict(verdict)
    known = {found.ordinal for found in site.casebook.verdicts_of([event.event_id]).get(event.event_id, [])}
    if known >= {detection.ordinal for detection in event.detections}:
        site.casebook.close_flags(event.event_id, by, verdicts[0].decided_at)
    try:
        site.store.apply_verdicts(verdicts)
        site.casebook.mark_applied(verdicts)
    except StoreUnavailable:
        site.wake_verdict_sync()
    return verdicts


def verdicts_for(event: Event, decision: Decision, by: str, now: datetime) -> list[Verdict]:
    """Turn a decision into one verdict for each detection it is about."""
    corrected = _corrected_to(decision)
    by_ordinal = {detection.ordinal: detection for detection in event.detections}
    ordinals: Sequence[int] = decision.ordinals or tuple(by_ordinal) or (0,)
    if unknown := set(ordinals) - (set(by_ordinal) or {0}):
        raise Undecidable(f"detections {sorted(unknown)}: this capture has {sorted(by_ordinal)}")
    found = []
    for ordinal in ordinals:
        detection = by_ordinal.get(ordinal)
        label = detection.label if detection else "blank"
        scientific = detection.scientific_name if detection else None
        kind: ObservationType = detection.observation_type if detection else "blank"
        if corrected is not None:
            label, scientific, kind = corrected.label, corrected.scientific_name, corrected.observation_type
        elif decision.outcome == "dismissed":
            kind = "blank"
        found.append(Verdict(event.event_id, ordinal, decision.outcome, kind, label, scientific, by, now))
    return found


def _corrected_to(decision: Decision) -> Taxon | None:
    if decision.outcome != "corrected":
        return None
    typed = " ".join(decision.taxon.split())
    if not typed:
        raise Undecidable("a correction names what it is, for example 野猪, wild boar or Sus scrofa; got nothing")
    return taxon_named(typed) or Taxon(typed, None, typed, typed, "animal")
