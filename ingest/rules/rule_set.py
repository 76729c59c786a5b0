"""Rules that decide which captures a person must see, and say why."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from casebook.flags import Flag
from casebook.incidents.corroboration import Corroboration
from casebook.incidents.station_rules import StationRule
from contract import Detection, Event, Location
from contract.errors import InvalidInput
from ingest.rules.conditions import Hours, Rule, Season
from ingest.rules.protection import UNPROTECTED, protection_of, read_species
from ingest.rules.zones import Zone, read_zones

__all__ = ["Hours", "Rule", "RuleSet", "RulesError", "RulesOptions", "Season", "load_rules"]


class RulesError(InvalidInput):
    """The rules cannot be used; the message names the rule, the value and what was expected."""


class RulesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a server.

    Attributes:
        time_zone: In whose local time seasons and hours are meant.
        zones: A GeoJSON file of zones; a path relative to the settings file. Empty: there are none.
        species: A CSV table of protection levels (see ``read_species``); relative as well. Empty: there is none.
        place: Where the sun is looked up for captures without a location; none: hours by the sun are then taken as met.
        rule: The rules about captures.
        station: The rules about the stations themselves (see ``casebook.incidents.station_rules``).
    """

    time_zone: str = "Asia/Shanghai"
    zones: str = ""
    species: str = ""
    place: Location | None = None
    rule: tuple[Rule, ...] = ()
    station: tuple[StationRule, ...] = ()


class RuleSet:
    """Raises flags on events."""

    def __init__(self, options: RulesOptions, zones: Sequence[Zone], levels: Mapping[str, str] | None = None) -> None:
        """Check the rules against the zones and the levels of protection.

        Raises:
            RulesError: a rule names a zone or a level there is not, two share a name, or the time zone is unknown.
        """
        self._zones = {zone.id: zone for zone in zones}
        self._levels = levels or {}
        self._rules = options.rule
        self._place = options.place
        try:
            self._time_zone = ZoneInfo(options.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise RulesError(f"time_zone {options.time_zone!r}: expected a name such as Asia/Shanghai") from error
        names = [rule.name for rule in options.rule] + [rule.name for rule in options.station]
        if len(set(names)) != len(names):
            raise RulesError(f"rules share a name: {sorted(names)}")
        for rule in self._rules:
            unknown = set(rule.zones) - set(self._zones)
            if unknown:
                raise RulesError(f"rule {rule.name!r} names zones {sorted(unknown)}: known are {sorted(self._zones)}")
            known = set(self._levels.values()) - {UNPROTECTED}
            if unknown := set(rule.protection) - known:
                raise RulesError(
                    f"rule {rule.name!r} asks for protection {sorted(unknown)}: the table has {sorted(known)}"
                )

    def evaluate(
        self, event: Event, raised_at: datetime, heard: Mapping[int, Corroboration] | None = None
    ) -> list[Flag]:
        """Raise a flag for each rule that applies; the same event gives the same flags again.

        Args:
            event: What a station sent.
            raised_at: When, with offset.
            heard: For detections, by ordinal, that other stations heard as well: what they make of it together.
        """
        flags = (self._apply(rule, event, raised_at, heard or {}) for rule in self._rules)
        return [flag for flag in flags if flag is not None]

    def _apply(self, rule: Rule, event: Event, raised_at: datetime, heard: Mapping[int, Corroboration]) -> Flag | None:
        fitting = [one for one in event.detections if rule.matches(one, self._levels, heard.get(one.ordinal))]
        if not fitting:
            return None
        found = max(fitting, key=lambda one: _confidence(one, heard))
        zone = self._zone_of(rule, event)
        when = _when(rule, self._local_time(event), event.location or self._place)
        if when is None or (rule.zones and zone is None):
            return None
        values = {"label": found.label, "confidence": f"{_confidence(found, heard):.2f}", **when}
        if found.scientific_name:
            values["scientific_name"] = found.scientific_name
        if level := protection_of(found.scientific_name, self._levels):
            values["protection"] = level
        if len(stations := heard[found.ordinal].stations if found.ordinal in heard else ()) > 1:
            values["stations"] = str(len(stations))
        if zone is not None:
            values |= {"zone": zone.id, "zone_zh": zone.name_zh, "zone_en": zone.name_en}
        return Flag(
            event_id=event.event_id,
            rule=rule.name,
            severity=rule.severity,
            reason_key=found.observation_type if not rule.labels else "label",
            reason_values=values,
            zone=zone.id if zone else None,
            raised_at=raised_at.astimezone(UTC),
        )

    def _zone_of(self, rule: Rule, event: Event) -> Zone | None:
        if event.location is None:
            return None
        return next((self._zones[name] for name in rule.zones if self._zones[name].contains(event.location)), None)

    def _local_time(self, event: Event) -> datetime | None:
        if event.clock.source == "none" or not 1900 <= event.captured_at.year <= 2200:  # no clock, or one gone mad
            return None
        return event.captured_at.astimezone(self._time_zone)


def load_rules(options: RulesOptions, beside: Path) -> RuleSet:
    """Read the zones and put the rules in force.

    Args:
        options: The rules.
        beside: The folder that the paths of zones and species are relative to.

    Raises:
        ZonesError: the zones file cannot be used.
        SpeciesError: the table of species cannot.
        RulesError: the rules cannot.
    """
    zones = read_zones(beside / options.zones) if options.zones else ()
    return RuleSet(options, zones, read_species(beside / options.species) if options.species else {})


def _confidence(detection: Detection, heard: Mapping[int, Corroboration]) -> float:
    together = heard.get(detection.ordinal)
    return max(detection.confidence, together.confidence if together else 0.0)


def _when(rule: Rule, local: datetime | None, place: Location | None) -> dict[str, str] | None:
    """Say which season and hours of the rule apply; None: it does not apply now."""
    if local is None:
        # Without a clock nobody can say that it was allowed then: better one look too many.
        return {"time_unknown": "yes"} if rule.seasons or rule.hours else {}
    values = {"local_time": local.isoformat(timespec="seconds")}
    season = next((season for season in rule.seasons if season.contains(local)), None)
    if season is not None:
        values |= {"season_start": season.start, "season_end": season.end}
    elif rule.seasons:
        return None
    hours = _hours(rule, local, place)
    return None if hours is None else values | hours


def _hours(rule: Rule, local: datetime, place: Location | None) -> dict[str, str] | None:
    for hours in rule.hours:
        if hours.by_sun and place is None:
            # Nobody can say where the sun stood: better one look too many.
            return {"hours_start": hours.start, "hours_end": hours.end, "place_unknown": "yes"}
        span = hours.span(local, place)
        if span is None:
            continue
        values = {"hours_start": hours.start, "hours_end": hours.end}
        if hours.by_sun:
            values |= {"hours_start_at": f"{span[0]:%H:%M}", "hours_end_at": f"{span[1]:%H:%M}"}
        return values | ({"night": "yes"} if hours.night else {})
    return None if rule.hours else {}
