"""Says what happened in an incident: each thing in a sentence of its own, and all of it in one line."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contract.severity import Severity, severity_rank
from i18n.flag_sentences import sentence
from i18n.language import Language
from i18n.taxa import display_name


class OccurrenceFacts(Protocol):
    """What these sentences need of one thing in an incident."""

    @property
    def kind(self) -> str:
        """Such as "human", "gunshot" or "silent"."""
        ...

    @property
    def source(self) -> str:
        """Either "vision", "sound" or "health"."""
        ...

    @property
    def station(self) -> str:
        """The station's name."""
        ...

    @property
    def at(self) -> datetime:
        """When, UTC."""
        ...

    @property
    def severity(self) -> Severity:
        """How soon it wants attention."""
        ...

    @property
    def reasons(self) -> Sequence[Mapping[str, str]]:
        """The values that fill each rule's sentence."""
        ...


class MemberFacts(Protocol):
    """A member of an incident."""

    @property
    def occurrence(self) -> OccurrenceFacts:
        """What it is."""
        ...


class IncidentFacts(Protocol):
    """What these sentences need of an incident; ``casebook.incidents.reader.IncidentFacts`` has it."""

    @property
    def kinds(self) -> Sequence[str]:
        """Kinds in it, without duplicates."""
        ...

    @property
    def stations(self) -> Sequence[str]:
        """Stations involved, without duplicates."""
        ...

    @property
    def occurrences(self) -> Sequence[MemberFacts]:
        """Its members, in order of time."""
        ...


class AlertFacts(Protocol):
    """What these sentences need of an alert."""

    @property
    def kind(self) -> str:
        """The kind that caused it."""
        ...

    @property
    def station(self) -> str:
        """The station that caused it."""
        ...


def kind_name(kind: str, language: Language) -> str:
    """Name a kind of happening."""
    say = language.say
    troubles = {
        "silent": say("station silent"),
        "blind": say("camera blind"),
        "deaf": say("microphone deaf"),
        "broken": say("sensor broken"),
        "clock": say("clock not to be trusted"),
        "disk": say("disk full"),
        "animal": say("protected animal"),
    }
    return troubles.get(kind) or display_name("person" if kind == "human" else kind, None, language.code)


def headline(incident: IncidentFacts, alert: AlertFacts | None, language: Language) -> str:
    """Say in one line what it is, the most severe first; of an alert, what gave rise to it first."""
    worst = {
        kind: max(severity_rank(one.occurrence.severity) for one in incident.occurrences if one.occurrence.kind == kind)
        for kind in incident.kinds
    }
    kinds = (
        tuple(sorted(incident.kinds, key=lambda kind: -worst[kind]))
        if alert is None
        else (alert.kind, *(one for one in incident.kinds if one != alert.kind))
    )
    what = language.say(", ").join(dict.fromkeys(kind_name(kind, language) for kind in kinds))
    station = incident.stations[0] if alert is None else alert.station
    return language.say("%(what)s at %(station)s", what=what, station=station)


def occurrence_sentence(one: OccurrenceFacts, language: Language) -> str:
    """Say why rules want a person's eyes on one happening."""
    if one.source != "health":
        return sentence(one.reasons, language)
    since, say = language.when(one.at), language.say
    what = kind_name(one.kind, language)
    sensor = one.reasons[0].get("sensor") if one.reasons else None
    place = say("%(station)s, %(sensor)s", station=one.station, sensor=sensor) if sensor else one.station
    return say("%(place)s: %(what)s since %(since)s", place=place, what=what, since=since)


def occurrence_sentences(incident: IncidentFacts, language: Language) -> list[str]:
    """Say it of each, the same sentence once."""
    return list(dict.fromkeys(occurrence_sentence(one.occurrence, language) for one in incident.occurrences))
