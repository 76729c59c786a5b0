"""What a capture shows according to machine and people: the observations of one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from casebook.verdicts import Verdict
from contract import Box, Classification, Detection, Event
from contract.messages import ObservationType, Span
from i18n.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Classified:
    """One observation in a capture: a person's verdict if there is one, else the machine's detection.

    Attributes:
        ordinal: Ordinal of the detection in the event.
        observation_type: "blank" if there is nothing.
        scientific_name: Accepted name; "" if no taxon is known.
        key: Name under which it is counted; "" for a blank.
        box: Where in the picture.
        span: When in the sound.
        by: User, or name and version of the model.
        at: Time of the verdict; None for a machine.
        probability: Confidence of the machine; None for a person.
        tags: More about it, as name and value.
    """

    ordinal: int
    observation_type: ObservationType
    scientific_name: str = ""
    key: str = ""
    box: Box | None = None
    span: Span | None = None
    by: str = ""
    at: datetime | None = None
    probability: float | None = None
    tags: tuple[tuple[str, str], ...] = ()


def classify(event: Event, verdicts: Sequence[Verdict], taxonomy: Taxonomy) -> list[Classified]:
    """Return the observations of an event; a capture in which nothing is left has one "blank"."""
    versions = {model.name: f"{model.name} {model.version}" for model in event.models}
    by_ordinal = {verdict.ordinal: verdict for verdict in verdicts}
    found = []
    for one in event.detections:
        verdict = by_ordinal.get(one.ordinal)
        if verdict is not None and (verdict.outcome == "dismissed" or verdict.observation_type == "blank"):
            continue
        named = one.identification
        machine = f"{versions[named.model]} {named.confidence:.2f}"
        tags = [("label", named.label)]
        if named is not one:
            tags.append(("detector", f"{one.label} {versions[one.model]} {one.confidence:.2f}"))
        kind = (verdict or one).observation_type
        name, key = _names(verdict or named, kind, taxonomy)
        found.append(
            Classified(
                one.ordinal,
                kind,
                name,
                key,
                one.box,
                one.span,
                verdict.classified_by if verdict else versions[named.model],
                verdict.decided_at if verdict else None,
                None if verdict else named.confidence,
                (*tags, ("machine", machine), ("verdict", verdict.outcome)) if verdict else tuple(tags),
            )
        )
    if not event.detections and (verdict := by_ordinal.get(0)) and verdict.observation_type != "blank":
        name, key = _names(verdict, verdict.observation_type, taxonomy)
        found.append(
            Classified(0, verdict.observation_type, name, key, by=verdict.classified_by, at=verdict.decided_at)
        )
    return found or [_blank(event, verdicts, versions)]


def _blank(event: Event, verdicts: Sequence[Verdict], versions: dict[str, str]) -> Classified:
    decided = max(verdicts, key=lambda verdict: verdict.decided_at, default=None)
    if decided is not None:
        return Classified(0, "blank", by=decided.classified_by, at=decided.decided_at)
    return Classified(0, "blank", by=" | ".join(versions.values()))


def _names(claim: Detection | Classification | Verdict, kind: ObservationType, taxonomy: Taxonomy) -> tuple[str, str]:
    """Return the scientific name that a claim of machine or person exports, and the name under which it counts."""
    key = taxonomy.key(claim.label, claim.scientific_name, kind)
    if kind == "human":
        return "Homo sapiens", key
    if kind in ("vehicle", "blank"):
        return "", key
    taxon = taxonomy.resolve(claim.label, claim.scientific_name, kind)
    return (taxon.scientific_name if taxon else claim.scientific_name) or "", key
