"""Records a person's decision, or the withdrawal of decisions, in the casebook, then in the detection store.

After a crash between the two, the detection store is updated later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from casebook.access.actor import Actor
from casebook.access.audit import Action
from casebook.verdicts import Outcome, Verdict
from contract import Event
from contract.errors import StoreUnavailable
from contract.messages import ObservationType
from i18n.language import Language
from i18n.taxonomy import Taxon, display_name, shipped_taxonomy
from ingest.store.port import ListedEvent
from review.cards import Card, load_cards
from review.page import Site
from review.problems import InvalidRequest

MAX_WITHDRAWN = 1_000  # decisions in one request


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision on detections of an event, as sent by a page.

    Attributes:
        event_id: The event.
        ordinals: The detections, by ordinal; empty: all of them.
        outcome: Confirmed, corrected or dismissed.
        taxon: For a correction, the label or any name of the taxon; a text that names none is stored as typed,
            as "unclassified": it may be a remark instead of an animal.
        seen: By ordinal, the sequence of the latest verdict that the page showed; 0 or none: it showed no verdict. If
            there is a later one of somebody else, nothing is recorded. Absent: the decision is recorded in any case.
    """

    event_id: str
    outcome: Outcome
    ordinals: tuple[int, ...] = ()
    taxon: Annotated[str, msgspec.Meta(max_length=200)] = ""
    seen: Mapping[int, int] | None = None


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The withdrawal of decisions on an event, given by their sequences, as sent by a page."""

    event_id: str
    sequences: Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=MAX_WITHDRAWN)]


def decide(site: Site, event: Event, decision: Decision, by: Actor) -> list[Verdict]:
    """Record a decision in the casebook and write its verdicts to the detection store.

    If the store does not accept them now, ``VerdictSync`` writes them later.

    Raises:
        InvalidRequest: the event has no such detection, or a correction has no taxon.
        VerdictConflict: somebody else decided on one of the detections after the page was shown.
        StoreUnavailable: the casebook did not answer; the decision may not have been recorded.
    """
    created = create_verdicts(event, decision, by, datetime.now(UTC))
    verdicts = site.casebook.record_verdicts(created, decision.seen)
    _conclude(site, event, verdicts, by.name)
    _note(site, by, "decided", event, f"{decision.outcome} {decision.taxon}".strip())
    return verdicts


def withdraw(site: Site, event: Event, sequences: Sequence[int], by: Actor) -> list[Verdict]:
    """Withdraw decisions, so that those before them are valid again, and return the withdrawals.

    Raises:
        InvalidRequest: the event has no such decision.
        VerdictConflict: others keep deciding on the same detections.
        StoreUnavailable: the casebook did not answer; the decisions may not have been withdrawn.
    """
    verdicts = site.casebook.withdraw_verdicts(event.event_id, sequences, by.name, datetime.now(UTC), by.id)
    if not verdicts:
        raise InvalidRequest("decision")
    _conclude(site, event, verdicts, by.name)
    _note(site, by, "withdrew", event, " ".join(map(str, sequences)))
    return verdicts


def _note(site: Site, by: Actor, action: Action, event: Event, what: str) -> None:
    """Record in the audit log what somebody with an account did; the casebook has the decision itself."""
    if by.id:
        site.access.audit.append(by, action, f"event {event.event_id} of {event.station}: {what}")


def _conclude(site: Site, event: Event, verdicts: Sequence[Verdict], by: str) -> None:
    """Close the flags of a decided event, or open those of another again, and update the detection store."""
    valid = {verdict.ordinal for verdict in site.casebook.verdicts_of([event.event_id]).get(event.event_id, [])}
    if valid >= ({detection.ordinal for detection in event.detections} or {0}):
        site.casebook.close_flags(event.event_id, by, verdicts[0].decided_at)
    elif any(verdict.withdraws for verdict in verdicts):
        site.casebook.reopen_flags(event.event_id)
    try:
        site.store.apply_verdicts(verdicts)
        site.casebook.mark_applied(verdicts)
    except StoreUnavailable:
        site.wake_verdict_sync()


def create_verdicts(event: Event, decision: Decision, by: Actor, now: datetime) -> list[Verdict]:
    """Create one verdict for each detection that a decision refers to."""
    if decision.outcome == "withdrawn":
        raise InvalidRequest("decision")
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
        made = Verdict(event.event_id, ordinal, decision.outcome, kind, label, scientific, by.name, now)
        verdicts.append(replace(made, actor_id=by.id))
    return verdicts


def _corrected_to(decision: Decision) -> Taxon | None:
    if decision.outcome != "corrected":
        return None
    typed = " ".join(decision.taxon.split())
    if not typed:
        raise InvalidRequest("taxon")
    return shipped_taxonomy().find(typed) or Taxon(typed, None, "unclassified")


def answer_to(site: Site, listed: ListedEvent, recorded: Sequence[Verdict], language: Language) -> dict[str, Any]:
    """Return the answer to a decision or a withdrawal: what was recorded, and what is valid on the capture now."""
    card = load_cards(site, [listed])[0]
    return {
        "verdicts": [
            {"ordinal": one.ordinal, "label": one.label, "sequence": one.sequence, "withdraws": one.withdraws}
            for one in recorded
        ],
        "outcome": card.outcome,
        "detections": [_state(card, ordinal, language) for ordinal in card.ordinals],
    }


def conflict_answer(latest: Sequence[Verdict], language: Language) -> dict[str, Any]:
    """Return the answer to a decision that was not recorded: what somebody else decided, and when."""
    return {
        "error": language.translate("Somebody else has decided meanwhile. Choose which decision is to be valid."),
        "conflict": [
            {
                "ordinal": one.ordinal,
                "outcome": "withdrawn" if one.withdraws else one.outcome,
                "name": display_name(one.label, one.scientific_name, language.code),
                "by": one.classified_by,
                "at": language.date_time(one.decided_at),
                "sequence": one.sequence,
            }
            for one in latest
        ],
    }


def _state(card: Card, ordinal: int, language: Language) -> dict[str, Any]:
    verdict = card.verdict_on(ordinal)
    kinds = {one.detection.ordinal: one.kind for one in card.findings}
    return {
        "ordinal": ordinal,
        "outcome": verdict.outcome if verdict else "",
        "name": display_name(verdict.label, verdict.scientific_name, language.code) if verdict else "",
        "kind": kinds.get(ordinal, "unknown"),
    }
