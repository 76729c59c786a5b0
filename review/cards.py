"""One capture as a person decides on it: what was found, by whom, where, when, why it was flagged, what was decided."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Detection, Event, Media, Model
from contract.messages import ObservationType
from review.page import Site

# Livestock and pets, by the names that detectors and taxa.csv give them.
DOMESTIC = frozenset(
    {"dog", "cat", "horse", "sheep", "goat", "cow", "cattle", "pig", "donkey", "Canis familiaris", "Felis catus"}
    | {"Canis lupus familiaris", "Equus caballus", "Ovis aries", "Capra hircus", "Bos taurus"}
)
KIND_CLASSES: Mapping[ObservationType, str] = {"human": "person", "vehicle": "vehicle", "animal": "animal"}


@dataclass(frozen=True, slots=True)
class CardDetection:
    """One detection with a person's word on it, if there is one."""

    detection: Detection
    verdict: Verdict | None
    model: Model

    @property
    def label(self) -> str:
        """What it is called now."""
        return self.verdict.label if self.corrected and self.verdict else self.detection.label

    @property
    def scientific_name(self) -> str | None:
        """Its taxon now."""
        return self.verdict.scientific_name if self.corrected and self.verdict else self.detection.scientific_name

    @property
    def corrected(self) -> bool:
        """Whether a person said it is something else."""
        return self.verdict is not None and self.verdict.outcome == "corrected"

    @property
    def kind(self) -> str:
        """CSS class of its current name."""
        said = self.verdict if self.corrected and self.verdict else self.detection
        return _kind_class(said, heard=self.detection.span is not None)

    @property
    def machine_kind(self) -> str:
        """CSS class of the machine's name for it."""
        return _kind_class(self.detection, heard=self.detection.span is not None)


def _kind_class(named: Detection | Verdict, heard: bool) -> str:
    if not DOMESTIC.isdisjoint({named.label, named.scientific_name}):
        return "domestic"
    if heard and named.observation_type in ("human", "vehicle"):
        return "sound"
    return KIND_CLASSES.get(named.observation_type, "unknown")


@dataclass(frozen=True, slots=True)
class Card:
    """One capture with all that is known of it."""

    event: Event
    findings: tuple[CardDetection, ...]
    flags: tuple[Flag, ...]
    blank_verdict: Verdict | None
    picture: Media | None
    clip: Media | None

    @property
    def kinds(self) -> tuple[tuple[CardDetection, ...], ...]:
        """What was found, once for each name: people and vehicles first, then the surest; in each the surest first."""
        order = {"human": 0, "vehicle": 1}
        found: dict[str, list[CardDetection]] = {}
        for one in sorted(
            self.findings,
            key=lambda one: (order.get(one.detection.observation_type, 2), -one.detection.confidence),
        ):
            found.setdefault(one.label, []).append(one)
        return tuple(map(tuple, found.values()))

    @property
    def decided(self) -> bool:
        """Whether a person has decided on all of it."""
        if not self.findings:
            return self.blank_verdict is not None
        return all(finding.verdict is not None for finding in self.findings)

    @property
    def outcome(self) -> str:
        """The one outcome of all, "mixed" where they differ, "" while undecided."""
        found = {finding.verdict.outcome for finding in self.findings if finding.verdict}
        if self.blank_verdict:
            found.add(self.blank_verdict.outcome)
        return "" if not self.decided else found.pop() if len(found) == 1 else "mixed"

    @property
    def open_flags(self) -> tuple[Flag, ...]:
        """The flags nobody has closed."""
        return tuple(flag for flag in self.flags if flag.state == "open")

    @property
    def key(self) -> tuple[datetime, str]:
        """Where it sorts; pages go on after it."""
        return self.event.captured_at, self.event.event_id


def cards_of(site: Site, events: Sequence[Event]) -> list[Card]:
    """Put what the casebook knows beside each event."""
    ids = [event.event_id for event in events]
    flags, verdicts = site.casebook.flags_of(ids), site.casebook.verdicts_of(ids)
    arrived = {name: {one.sha256 for one in media} for name, media in site.casebook.media_of(ids).items()}
    return [
        _card(one, flags.get(one.event_id, []), verdicts.get(one.event_id, []), arrived.get(one.event_id, set()))
        for one in events
    ]


def _card(event: Event, flags: Sequence[Flag], verdicts: Sequence[Verdict], arrived: Set[str]) -> Card:
    said = {verdict.ordinal: verdict for verdict in verdicts}
    models = {model.name: model for model in event.models}
    findings = tuple(
        CardDetection(detection, said.get(detection.ordinal), models[detection.model]) for detection in event.detections
    )
    here = [media for media in event.media if media.role != "original" and media.sha256 in arrived]
    return Card(
        event=event,
        findings=findings,
        flags=tuple(flags),
        blank_verdict=None if findings else said.get(0),
        picture=next((media for media in here if media.type.startswith("image/")), None),
        clip=next((media for media in here if media.type.startswith("audio/")), None),
    )
