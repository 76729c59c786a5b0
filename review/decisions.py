"""Records a person's decision in the casebook, then in the detection store.

After a crash between the two, the detection store is updated later.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from casebook.verdicts import Outcome, Verdict
from contract import Event
from contract.errors import StoreUnavailable
from contract.messages import ObservationType
from i18n.taxonomy import Taxon, shipped_taxonomy
from review.page import Site
from review.problems import InvalidRequest


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision on detections of an event, as sent by a page.

    Attributes:
        event_id: The event.
        ordinals: The detections, by ordinal; empty: all of them.
        outcome: Confirmed, corrected or dismissed.
        taxon: For a correction, the label or any name of the taxon; a text that names none is stored as typed,
            as "unclassified": it may be a remark instead of an animal.
    """

    event_id: str
    outcome: Outcome
    ordinals: tuple[int, ...] = ()
    taxon: Annotated[str, msgspec.Meta(max_length=200)] = ""


def decide(site: Site, event: Event, decision: Decision, by: str) -> list[Verdict]:
    """Record a decision in the casebook and write its verdicts to the detection store.

    If the store does not accept them now, ``VerdictSync`` writes them later.

    Raises:
        InvalidRequest: the event has no such detection, or a correction has no taxon.
        StoreUnavailable: the casebook did not answer; the decision may not have been recorded.
    """
    verdicts = site.casebook.record_verdicts(create_verdicts(event, decision, by, datetime.now(UTC)))
    decided = {verdict.ordinal for verdict in site.casebook.verdicts_of([event.event_id]).get(event.event_id, [])}
    if decided >= {detection.ordinal for detection in event.detections}:
        site.casebook.close_flags(event.event_id, by, verdicts[0].decided_at)
    try:
        site.store.apply_verdicts(verdicts)
        site.casebook.mark_applied(verdicts)
    except StoreUnavailable:
        site.wake_verdict_sync()
    return verdicts


def create_verdicts(event: Event, decision: Decision, by: str, now: datetime) -> list[Verdict]:
    """Create one verdict for each detection that a decision refers to."""
    corrected = _corrected_to(decision)
    by_ordinal = {detection.ordinal: detection for detection in event.detections}
    ordinals: Sequence[int] = tuple(dict.fromkeys(decision.ordinals)) or tuple(by_ordinal) or (0,)
    if not set(ordinals) <= (set(by_ordinal) or {0}):
        raise InvalidRequest("detection")
    verdicts = []
    for ordinal in ordinals:
        detection = by_ordinal.get(ordinal)
        label = detection.label if detection else "blank"
        scientific = detection.scientific_name if detection else None
        kind: ObservationType = detection.observation_type if detection else "blank"
        if corrected is not None:
            label, scientific, kind = corrected.label, corrected.scientific_name, corrected.observation_type
        elif decision.outcome == "dismissed":
            kind = "blank"
        verdicts.append(Verdict(event.event_id, ordinal, decision.outcome, kind, label, scientific, by, now))
    return verdicts


def _corrected_to(decision: Decision) -> Taxon | None:
    if decision.outcome != "corrected":
        return None
    typed = " ".join(decision.taxon.split())
    if not typed:
        raise InvalidRequest("taxon")
    return shipped_taxonomy().find(typed) or Taxon(typed, None, "unclassified")
