"""View model of a capture for the pages: detections, flags, verdicts and media."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from casebook.flags import Flag
from casebook.verdicts import Verdict, latest_sequences, verdicts_in_force
from contract import Detection, Event, Media, Model
from contract.messages import ObservationType
from i18n.taxonomy.domestic import DOMESTIC
from ingest.store.port import ListedEvent
from ingest.store.taxon_key import taxon_key
from review.page import Site

Missing = Literal["waiting", "overdue", "withheld", "nothing", "not made"]
OVERDUE = timedelta(days=1)  # thumbnails and clips follow their event within minutes, unless the station is offline
_NOISES = frozenset({"gunshot", "chainsaw", "power tool", "fireworks"})  # of people, without a voice
KIND_CLASSES: Mapping[ObservationType, str] = {"human": "person", "vehicle": "vehicle", "animal": "animal"}


@dataclass(frozen=True, slots=True)
class CardDetection:
    """A detection with the verdict of a person on it; the verdict is None if there is none yet."""

    detection: Detection
    verdict: Verdict | None
    model: Model
    in_film: bool = False  # its span is where it was seen

    @property
    def named(self) -> Detection | Verdict:
        """What names the detection: a person's correction, else the detector."""
        return self.verdict if self.corrected and self.verdict else self.detection

    @property
    def label(self) -> str:
        """Label that a person corrected the detection to, or the detector's label if it was not corrected."""
        return self.named.label

    @property
    def scientific_name(self) -> str | None:
        """Scientific name from a person's correction, or from the detector if there is no correction."""
        return self.named.scientific_name

    @property
    def corrected(self) -> bool:
        """Whether a person has corrected the detection."""
        return self.verdict is not None and self.verdict.outcome == "corrected"

    @property
    def kind(self) -> str:
        """CSS class for the label of the detection, including a person's correction."""
        return _kind_class(self.named, self._heard)

    @property
    def machine_kind(self) -> str:
        """CSS class for the label of the detector, before any correction."""
        return _kind_class(self.detection, self._heard)

    @property
    def _heard(self) -> bool:
        return self.detection.span is not None and not self.in_film


def _is_voice(detection: Detection) -> bool:
    key = taxon_key(detection.label, detection.scientific_name, detection.observation_type)
    return detection.observation_type == "human" and key not in _NOISES


def _kind_class(named: Detection | Verdict, heard: bool) -> str:
    if taxon_key(named.label, named.scientific_name, named.observation_type) in DOMESTIC:
        return "domestic"
    if heard and named.observation_type in ("human", "vehicle"):
        return "sound"
    return KIND_CLASSES.get(named.observation_type, "unknown")


@dataclass(frozen=True, slots=True)
class Card:
    """A capture with the time under which it is listed, and its detections, flags, verdicts and media.

    ``history`` has all verdicts and withdrawals in the order of recording.
    """

    event: Event
    listed_at: datetime
    findings: tuple[CardDetection, ...]
    flags: tuple[Flag, ...]
    blank_verdict: Verdict | None
    picture: Media | None
    clip: Media | None
    history: tuple[Verdict, ...]
    film: Media | None

    @property
    def kinds(self) -> tuple[tuple[CardDetection, ...], ...]:
        """Detections grouped by taxon; people come first, then vehicles, then the rest.

        Within each of the three kinds, groups are sorted by their highest confidence, in descending order.
        """
        order = {"human": 0, "vehicle": 1}
        by_taxon: dict[str, list[CardDetection]] = {}
        for one in sorted(
            self.findings,
            key=lambda one: (order.get(one.detection.observation_type, 2), -one.detection.confidence),
        ):
            key = taxon_key(one.label, one.scientific_name, one.named.observation_type)
            by_taxon.setdefault(key, []).append(one)
        return tuple(map(tuple, by_taxon.values()))

    @property
    def decided(self) -> bool:
        """Whether every detection has a verdict; for a capture without detections, whether the capture has one."""
        if not self.findings:
            return self.blank_verdict is not None
        return all(finding.verdict is not None for finding in self.findings)

    @property
    def outcome(self) -> str:
        """Common outcome of all verdicts on the capture; "mixed" if they differ, "" if verdicts are missing."""
        found = {finding.verdict.outcome for finding in self.findings if finding.verdict}
        if self.blank_verdict:
            found.add(self.blank_verdict.outcome)
        return "" if not self.decided else found.pop() if len(found) == 1 else "mixed"

    def verdict_on(self, ordinal: int) -> Verdict | None:
        """Return the verdict on a detection, or on the capture if it has no detections; None if there is none."""
        if not self.findings:
            return self.blank_verdict
        return next((one.verdict for one in self.findings if one.detection.ordinal == ordinal), None)

    @property
    def seen(self) -> Mapping[int, int]:
        """Sequence of the latest verdict on each detection, by ordinal, withdrawals included."""
        return latest_sequences(self.history)

    @property
    def missing(self) -> Missing:
        """Why the capture has neither a picture nor a sound to show; meaningful only if it has none."""
        announced = [media for media in self.event.media if media.role != "original"]
        if announced:
            return "overdue" if datetime.now(UTC) - self.listed_at > OVERDUE else "waiting"
        if not self.event.detections:
            return "nothing"
        voice = any(map(_is_voice, self.event.detections))
        return "withheld" if self.event.capture == "sound" and voice else "not made"

    @property
    def clock_doubted(self) -> bool:
        """Whether the capture is listed under its time of receipt, since the station's clock cannot be believed."""
        return self.listed_at != self.event.captured_at

    @property
    def original_kept(self) -> bool:
        """Whether the station reported an original file, which it keeps as long as it has space."""
        return any(media.role == "original" for media in self.event.media)

    @property
    def ordinals(self) -> tuple[int, ...]:
        """Ordinals on which verdicts are given; 0 for a capture without detections."""
        return tuple(one.detection.ordinal for one in self.findings) or (0,)

    @property
    def open_flags(self) -> tuple[Flag, ...]:
        """Flags of the capture that are still open."""
        return tuple(flag for flag in self.flags if flag.state == "open")

    @property
    def key(self) -> tuple[datetime, str]:
        """Sort key of cards, and pagination cursor: the time under which the capture is listed, and the event id."""
        return self.listed_at, self.event.event_id


def people_in(cards: Iterable[Card]) -> list[str]:
    """Return the ids of the captures in which the machine or a person found people."""
    found = []
    for card in cards:
        verdicts = (*(one.verdict for one in card.findings), card.blank_verdict)
        kinds = {one.detection.observation_type for one in card.findings}
        if "human" in kinds | {verdict.observation_type for verdict in verdicts if verdict}:
            found.append(card.event.event_id)
    return found


def load_cards(site: Site, listed: Sequence[ListedEvent]) -> list[Card]:
    """Build one card for each event, with the flags, verdicts and media that the casebook has for the event."""
    ids = [one.event.event_id for one in listed]
    flags, histories = site.casebook.flags_of(ids), site.casebook.verdict_histories(ids)
    arrived = {name: {one.sha256 for one in media} for name, media in site.casebook.media_of(ids).items()}
    return [
        _card(one, flags.get(event_id, []), histories.get(event_id, []), arrived.get(event_id, set()))
        for one, event_id in zip(listed, ids, strict=True)
    ]


def _card(listed: ListedEvent, flags: Sequence[Flag], history: Sequence[Verdict], arrived: Set[str]) -> Card:
    event = listed.event
    by_ordinal = verdicts_in_force(history)
    models = {model.name: model for model in event.models}
    findings = tuple(
        CardDetection(
            detection, by_ordinal.get(detection.ordinal), models[detection.model], in_film=event.capture == "film"
        )
        for detection in event.detections
    )
    available = [media for media in event.media if media.role != "original" and media.sha256 in arrived]
    return Card(
        event=event,
        listed_at=listed.listed_at,
        findings=findings,
        flags=tuple(flags),
        blank_verdict=None if findings else by_ordinal.get(0),
        picture=next((media for media in available if media.type.startswith("image/")), None),
        clip=next((media for media in available if media.type.startswith("audio/")), None),
        history=tuple(history),
        film=next((media for media in available if media.type.startswith("video/")), None),
    )
