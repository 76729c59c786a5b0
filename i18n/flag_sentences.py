"""Builds the sentences that explain, in the reader's language, why rules flagged a capture."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.severity import SEVERITIES, Severity
from i18n.known_labels import OTHER
from i18n.language import Language
from i18n.taxonomy import display_name

_SUN_TIME = re.compile(r"(dawn|sunrise|sunset|dusk)(.*)")  # a rule's time relative to the sun, such as "sunset-00:30"


class FlagFacts(Protocol):
    """Fields of a flag that the sentences need; ``casebook.flags.Flag`` implements it."""

    @property
    def severity(self) -> Severity:
        """Severity of the flag: the urgency of its review."""
        ...

    @property
    def reason_key(self) -> str:
        """Kind of finding that caused the flag: "human", "vehicle", "animal" or "label"."""
        ...

    @property
    def reason_values(self) -> Mapping[str, str]:
        """Values that are inserted into the explanation of the flag, by placeholder such as "label" or "zone"."""
        ...

    @property
    def state(self) -> str:
        """State of the flag: "open" or "closed"."""
        ...

    @property
    def closed_by(self) -> str | None:
        """Name of the person who closed the flag; None while the flag is open."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """Explanation of why rules flagged one kind of finding in a capture.

    Attributes:
        severity: Highest severity of the flags.
        sentence: Explanation for the reader.
        closed_by: Name of the person who closed the last flag; None while one is open.
    """

    severity: Severity
    sentence: str
    closed_by: str | None = None


def reasons(flags: Sequence[FlagFacts], language: Language) -> list[Reason]:
    """Merge the flags of one capture by kind of finding; the most severe reason comes first."""
    by_label: dict[str, list[FlagFacts]] = {}
    for flag in flags:
        by_label.setdefault(flag.reason_values.get("label", flag.reason_key), []).append(flag)
    found = [
        Reason(
            max((flag.severity for flag in same), key=SEVERITIES.index),
            flag_sentence([flag.reason_values for flag in same], language),
            same[-1].closed_by if all(flag.state == "closed" for flag in same) else None,
        )
        for same in by_label.values()
    ]
    return sorted(found, key=lambda reason: -SEVERITIES.index(reason.severity))


def flag_sentence(values: Iterable[Mapping[str, str]], language: Language) -> str:
    """Return one sentence that explains why several rules flagged a finding, without repeated clauses.

    Args:
        values: ``Flag.reason_values`` of each rule.
        language: The reader's language.
    """
    rules, translate = list(values), language.translate
    label, scientific = rules[0].get("label", ""), rules[0].get("scientific_name")
    what = translate("other") if label == OTHER else display_name(label, scientific, language.code)
    zone = translate(" and ").join(_unique(_zone(rule, language) for rule in rules))
    night = any("night" in rule for rule in rules)
    if zone and night:
        head = translate("%(what)s at night in %(zone)s", what=what, zone=zone)
    elif zone:
        head = translate("%(what)s in %(zone)s", what=what, zone=zone)
    elif night:
        head = translate("%(what)s at night at this station", what=what)
    else:
        head = translate("%(what)s at this station", what=what)
    clauses = _unique(clause for rule in rules for clause in _clauses(rule, language))
    sentence = translate(", ").join([head, *clauses])
    return simulated_text(sentence, language) if any("simulated" in rule for rule in rules) else sentence


def simulated_text(text: str, language: Language) -> str:
    """Return a text about a simulated station or capture, which says so first."""
    return language.translate("SIMULATED: %(what)s", what=text)


def _zone(values: Mapping[str, str], language: Language) -> str:
    return values.get("zone_zh" if language.code == "zh_CN" else "zone_en") or values.get("zone") or ""


def _clauses(values: Mapping[str, str], language: Language) -> Iterable[str]:
    translate = language.translate
    if "season_start" in values:
        start, end = (language.month_day(values[name]) for name in ("season_start", "season_end"))
        yield translate("closed season %(start)s to %(end)s", start=start, end=end)
    if "hours_start" in values and "night" not in values:
        start, end = (_hour(values, name, language) for name in ("hours_start", "hours_end"))
        yield translate("between %(start)s and %(end)s", start=start, end=end)
    if level := values.get("protection"):
        yield {
            "I": translate("national first-class protection"),
            "II": translate("national second-class protection"),
        }.get(level) or translate("protection: %(level)s", level=level)
    if "stations" in values:
        yield translate("heard by %(count)s stations", count=values["stations"])
    if values.get("time_unknown"):
        yield translate("time of the capture not known")
    if values.get("place_unknown"):
        yield translate("sunrise and sunset unknown without the station's location")


def _hour(values: Mapping[str, str], name: str, language: Language) -> str:
    text, translate = values[name], language.translate
    found = _SUN_TIME.fullmatch(text)
    if found is None:
        return text
    names = {
        "dawn": translate("dawn"),
        "sunrise": translate("sunrise"),
        "sunset": translate("sunset"),
        "dusk": translate("dusk"),
    }
    word = names[found[1]] + found[2]
    at = values.get(f"{name}_at")
    return translate("%(word)s (%(time)s)", word=word, time=at) if at else word


def _unique(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
