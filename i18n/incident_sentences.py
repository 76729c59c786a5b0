"""Builds the headline of an incident and one sentence for each of its occurrences."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contract.severity import Severity, severity_rank
from i18n.flag_sentences import flag_sentence
from i18n.language import Language
from i18n.taxa import display_name


class OccurrenceFacts(Protocol):
    """Fields of an occurrence that the sentences need."""

    @property
    def kind(self) -> str:
        """Kind of occurrence, such as "human", "gunshot" or "silent"."""
        ...

    @property
    def source(self) -> str:
        """One of "vision", "sound" and "health"."""
        ...

    @property
    def station(self) -> str:
        """Name of the station."""
        ...

    @property
    def at(self) -> datetime:
        """Time of the occurrence, UTC."""
        ...

    @property
    def severity(self) -> Severity:
        """Severity of the occurrence."""
        ...

    @property
    def reasons(self) -> Sequence[Mapping[str, str]]:
        """Values for the sentence of each rule."""
        ...


class MemberFacts(Protocol):
    """A member of an incident."""

    @property
    def occurrence(self) -> OccurrenceFacts:
        """The occurrence."""
        ...


class IncidentFacts(Protocol):
    """Fields of an incident that the sentences need; ``casebook.incidents.reader.IncidentFacts`` implements it."""

    @property
    def kinds(self) -> Sequence[str]:
        """Kinds of its occurrences, without duplicates."""
        ...

    @property
    def stations(self) -> Sequence[str]:
        """Stations involved, without duplicates."""
        ...

    @property
    def occurrences(self) -> Sequence[MemberFacts]:
        """Its members, in chronological order."""
        ...


class AlertFacts(Protocol):
    """Fields of an alert that the sentences need."""

    @property
    def kind(self) -> str:
        """Kind of the occurrence that caused it."""
        ...

    @property
    def station(self) -> str:
        """Station of the occurrence that caused it."""
        ...


def kind_name(kind: str, language: Language) -> str:
    """Return the name of a kind of occurrence."""
    translate = language.translate
    names = {
        "silent": translate("station silent"),
        "blind": translate("camera blind"),
        "deaf": translate("microphone deaf"),
        "broken": translate("sensor broken"),
        "clock": translate("clock not trusted"),
        "disk": translate("disk full"),
        "animal": translate("protected animal"),
    }
    return names.get(kind) or display_name("person" if kind == "human" else kind, None, language.code)


def headline(incident: IncidentFacts, alert: AlertFacts | None, language: Language) -> str:
    """Return a one-line summary of an incident.

    The most severe kind comes first; in the headline of an alert, the kind that caused the alert.
    """
    worst = {
        kind: max(severity_rank(one.occurrence.severity) for one in incident.occurrences if one.occurrence.kind == kind)
        for kind in incident.kinds
    }
    kinds = (
        tuple(sorted(incident.kinds, key=lambda kind: -worst[kind]))
        if alert is None
        else (alert.kind, *(one for one in incident.kinds if one != alert.kind))
    )
    what = language.translate(", ").join(dict.fromkeys(kind_name(kind, language) for kind in kinds))
    station = incident.stations[0] if alert is None else alert.station
    return language.translate("%(what)s at %(station)s", what=what, station=station)


def occurrence_sentence(one: OccurrenceFacts, language: Language) -> str:
    """Return the sentence that explains one occurrence."""
    if one.source != "health":
        return flag_sentence(one.reasons, language)
    since, translate = language.date_time(one.at), language.translate
    what = kind_name(one.kind, language)
    sensor = one.reasons[0].get("sensor") if one.reasons else None
    place = translate("%(station)s, %(sensor)s", station=one.station, sensor=sensor) if sensor else one.station
    return translate("%(place)s: %(what)s since %(since)s", place=place, what=what, since=since)


def occurrence_sentences(incident: IncidentFacts, language: Language) -> list[str]:
    """Return the sentences of all occurrences, without duplicates."""
    return list(dict.fromkeys(occurrence_sentence(one.occurrence, language) for one in incident.occurrences))
