"""Builds the headline of an incident and a sentence for each finding or station problem in the incident."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contract.severity import Severity, severity_rank
from i18n.flag_sentences import flag_sentence, simulated_text
from i18n.known_labels import OTHER
from i18n.language import Language
from i18n.taxonomy import display_name


class OccurrenceFacts(Protocol):
    """An occurrence: a person, animal or sound found in one capture, or a problem of one station."""

    @property
    def kind(self) -> str:
        """Kind of occurrence, such as "human", "gunshot" or "silent"."""
        ...

    @property
    def source(self) -> str:
        """Source of the occurrence: "vision", "sound" or "health"."""
        ...

    @property
    def station(self) -> str:
        """Name of the station of the occurrence."""
        ...

    @property
    def at(self) -> datetime:
        """Time of the occurrence, UTC."""
        ...

    @property
    def severity(self) -> Severity:
        """Highest severity of the rules that matched the occurrence."""
        ...

    @property
    def reasons(self) -> Sequence[Mapping[str, str]]:
        """For each rule that matched, the values for the placeholders of its sentence, by placeholder name."""
        ...


class IncidentFacts(Protocol):
    """Fields of an incident that the sentences need; ``casebook.incidents.reader.Incident`` implements it."""

    @property
    def kinds(self) -> Sequence[str]:
        """Kinds of the incident's occurrences, without duplicates."""
        ...

    @property
    def stations(self) -> Sequence[str]:
        """Names of the stations involved in the incident, without duplicates."""
        ...

    @property
    def severities(self) -> Mapping[str, Severity]:
        """By kind, the highest severity of its occurrences."""
        ...


class AlertFacts(Protocol):
    """Fields of an alert that the sentences need."""

    @property
    def kind(self) -> str:
        """Kind of the occurrence that caused the alert."""
        ...

    @property
    def station(self) -> str:
        """Name of the station whose occurrence caused the alert."""
        ...


def kind_name(kind: str, language: Language) -> str:
    """Translate the code of a kind of occurrence, such as "silent", to its name in a language."""
    translate = language.translate
    names = {
        "silent": translate("station silent"),
        "blind": translate("camera blind"),
        "deaf": translate("microphone deaf"),
        "broken": translate("sensor broken"),
        "clock": translate("clock not trusted"),
        "disk": translate("disk full"),
        "overload": translate("sends more than its budget"),
        "animal": translate("protected animal"),
        OTHER: translate("other"),
    }
    return names.get(kind) or display_name("person" if kind == "human" else kind, None, language.code)


def headline(
    incident: IncidentFacts, alert: AlertFacts | None, language: Language, simulated: Collection[str] = ()
) -> str:
    """Return a one-line summary of an incident.

    The most severe kind comes first; in the headline of an alert, the kind that caused the alert. ``simulated`` names
    the simulated stations; the headline says so if no other station is in the incident.
    """
    kinds = (
        tuple(sorted(incident.kinds, key=lambda kind: -severity_rank(incident.severities[kind])))
        if alert is None
        else (alert.kind, *(one for one in incident.kinds if one != alert.kind))
    )
    what = language.translate(", ").join(dict.fromkeys(kind_name(kind, language) for kind in kinds))
    station = incident.stations[0] if alert is None else alert.station
    text = language.translate("%(what)s at %(station)s", what=what, station=station)
    return simulated_text(text, language) if all(one in simulated for one in incident.stations) else text


def occurrence_sentence(one: OccurrenceFacts, language: Language) -> str:
    """Return the sentence that explains one occurrence to the reader."""
    if one.source != "health":
        return flag_sentence(one.reasons, language)
    since, translate = language.date_time(one.at), language.translate
    what = kind_name(one.kind, language)
    sensor = one.reasons[0].get("sensor") if one.reasons else None
    place = translate("%(station)s, %(sensor)s", station=one.station, sensor=sensor) if sensor else one.station
    return translate("%(place)s: %(what)s since %(since)s", place=place, what=what, since=since)


def occurrence_sentences(occurrences: Iterable[OccurrenceFacts], language: Language) -> list[str]:
    """Return the sentences that explain occurrences, without duplicates."""
    return list(dict.fromkeys(occurrence_sentence(one, language) for one in occurrences))
