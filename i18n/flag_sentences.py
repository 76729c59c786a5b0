"""Says in the reader's language why rules want a person's eyes on something: several rules in one sentence."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.severity import SEVERITIES, Severity
from i18n.language import Language
from i18n.taxa import display_name, taxon_named

_SUN_TIME = re.compile(r"(dawn|sunrise|sunset|dusk)(.*)")  # a rule's hour by the sun, such as "sunset-00:30"


class FlagFacts(Protocol):
    """What these sentences need of a flag; ``casebook.flags.Flag`` has it."""

    @property
    def severity(self) -> Severity:
        """How soon it wants attention."""
        ...

    @property
    def reason_key(self) -> str:
        """What was found: "human", "vehicle", "animal" or "label"."""
        ...

    @property
    def reason_values(self) -> Mapping[str, str]:
        """The values that fill the sentence."""
        ...

    @property
    def state(self) -> str:
        """Either "open" or "closed"."""
        ...

    @property
    def closed_by(self) -> str | None:
        """Who closed it."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """What rules say of one kind of thing in a capture.

    Attributes:
        severity: The highest of theirs.
        sentence: What a person reads.
        closed_by: Who closed all of their flags; None while one is open.
    """

    severity: Severity
    sentence: str
    closed_by: str | None = None


def reasons(flags: Sequence[FlagFacts], language: Language) -> list[Reason]:
    """Join the flags of one capture that speak of the same thing; the most severe first."""
    by_thing: dict[str, list[FlagFacts]] = {}
    for flag in flags:
        by_thing.setdefault(flag.reason_values.get("label", flag.reason_key), []).append(flag)
    found = [
        Reason(
            max((flag.severity for flag in same), key=SEVERITIES.index),
            sentence([flag.reason_values for flag in same], language),
            same[-1].closed_by if all(flag.state == "closed" for flag in same) else None,
        )
        for same in by_thing.values()
    ]
    return sorted(found, key=lambda reason: -SEVERITIES.index(reason.severity))


def sentence(values: Iterable[Mapping[str, str]], language: Language) -> str:
    """Say what several rules found about one thing, each clause once.

    Args:
        values: Of each rule, as ``Flag.reason_values`` has them.
        language: The reader's.
    """
    every, say = list(values), language.say
    label, scientific = every[0].get("label", ""), every[0].get("scientific_name")
    what = display_name(label, None if taxon_named(label) else scientific, language.code)
    zones = _each_once(_zone(one, language) for one in every)
    zone = say(" and ").join(zones)
    night = any("night" in one for one in every)
    if zone:
        head = (
            say("%(what)s at night in %(zone)s", what=what, zone=zone)
            if night
            else say("%(what)s in %(zone)s", what=what, zone=zone)
        )
    else:
        head = (
            say("%(what)s at night at this station", what=what) if night else say("%(what)s at this station", what=what)
        )
    clauses = _each_once(clause for one in every for clause in _clauses(one, language))
    return say(", ").join([head, *clauses])


def _zone(values: Mapping[str, str], language: Language) -> str:
    return values.get("zone_zh" if language.code == "zh_CN" else "zone_en") or values.get("zone") or ""


def _clauses(values: Mapping[str, str], language: Language) -> Iterable[str]:
    say = language.say
    if "season_start" in values:
        start, end = (language.month_day(values[name]) for name in ("season_start", "season_end"))
        yield say("closed season %(start)s to %(end)s", start=start, end=end)
    if "hours_start" in values and "night" not in values:
        start, end = (_hour(values, name, language) for name in ("hours_start", "hours_end"))
        yield say("between %(start)s and %(end)s", start=start, end=end)
    if level := values.get("protection"):
        yield {
            "I": say("national first-class protection"),
            "II": say("national second-class protection"),
        }.get(level) or say("protection: %(level)s", level=level)
    if "stations" in values:
        yield say("heard by %(count)s stations", count=values["stations"])
    if values.get("time_unknown"):
        yield say("the station's clock could not say when")
    if values.get("place_unknown"):
        yield say("the place is not known, so neither is where the sun stood")


def _hour(values: Mapping[str, str], name: str, language: Language) -> str:
    text, say = values[name], language.say
    found = _SUN_TIME.fullmatch(text)
    if found is None:
        return text
    word = {"dawn": say("dawn"), "sunrise": say("sunrise"), "sunset": say("sunset"), "dusk": say("dusk")}[found[1]]
    word += found[2]
    at = values.get(f"{name}_at")
    return say("%(word)s (%(time)s)", word=word, time=at) if at else word


def _each_once(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
