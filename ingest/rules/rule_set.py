"""Set of rules that raises flags on events, and states the reason of each flag."""

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
from i18n.taxonomy import Taxonomy, shipped_taxonomy
from ingest.rules.conditions import Hours, Rule, Season
from ingest.rules.protection import Protection, read_species
from ingest.rules.zones import Zone, read_zones
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds
from ingest.store.order import is_believed, listed_us

__all__ = ["Hours", "Rule", "RuleSet", "RulesError", "RulesOptions", "Season", "load_rules"]


class RulesError(InvalidInput):
    """Invalid rules; the message contains the rule, the value and what was expected."""


class RulesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the rules about captures and stations.

    Attributes:
        time_zone: IANA time zone of seasons and hours.
        zones: Path of a GeoJSON file of zones, relative to the settings file. Empty: no zones.
        species: Path of a CSV table of protection levels (see ``read_species``), also relative;
            its levels win over those of the official lists, which are part of Wildpost. Empty: the lists alone.
        place: Place of the sun events for captures without a location; None: hours by the sun then count as met.
        rule: Rules about captures.
        station: Rules about the stations themselves (see ``casebook.incidents.station_rules``).
    """

    time_zone: str = "Asia/Shanghai"
    zones: str = ""
    species: str = ""
    place: Location | None = None
    rule: tuple[Rule, ...] = ()
    station: tuple[StationRule, ...] = ()


class RuleSet:
    """Set of validated rules that raises flags on events."""

    def __init__(self, options: RulesOptions, zones: Sequence[Zone], levels: Mapping[str, str] | None = None) -> None:
        """Validate the rules against the zones and the protection levels.

        Raises:
            RulesError: a rule names an unknown zone or level, two rules share a name, or the time zone is unknown.
        """
        self.zones = tuple(zones)
        self._zones = {zone.id: zone for zone in zones}
        self._taxonomy: Taxonomy = shipped_taxonomy()
        self._protection = Protection(levels, self._taxonomy)
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
            if rule.protection and (unknown := set(rule.protection) - self._protection.levels):
                known = sorted(self._protection.levels)
                raise RulesError(f"rule {rule.name!r} requires protection {sorted(unknown)}: known levels are {known}")

    @property
    def known_labels(self) -> frozenset[str]:
        """Labels and scientific names that the rules and the table of protection levels name."""
        return self._protection.names.union(*(rule.labels for rule in self._rules))

    def evaluate(
        self, event: Event, raised_at: datetime, heard: Mapping[int, Corroboration] | None = None
    ) -> list[Flag]:
        """Return one flag for each rule that applies to an event; equal arguments give equal flags.

        Args:
            event: The event.
            raised_at: Time of the flags, with offset: the present, after which no capture is believed to be.
            heard: By ordinal, the combined evidence for detections that other stations heard too.
        """
        flags = (self._apply(rule, event, raised_at, heard or {}) for rule in self._rules)
        return [flag for flag in flags if flag is not None]

    def _apply(self, rule: Rule, event: Event, raised_at: datetime, heard: Mapping[int, Corroboration]) -> Flag | None:
        matching = [one for one in event.detections if self._matches(rule, one, heard)]
        if not matching:
            return None
        found = max(matching, key=lambda one: _confidence(one, heard))
        zone = self._zone_of(rule, event)
        when = _when(rule, self._local_time(event, raised_at), event.location or self._place)
        if when is None or (rule.zones and zone is None):
            return None
        values = {"label": found.label, "confidence": f"{_confidence(found, heard):.2f}", **when}
        if found.scientific_name:
            values["scientific_name"] = found.scientific_name
        if level := self._protection.of(found):
            values["protection"] = level
        if len(stations := heard[found.ordinal].stations if found.ordinal in heard else ()) > 1:
            values["stations"] = str(len(stations))
        if event.simulated is True:
            values["simulated"] = "yes"
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
            station=event.station,
            at=EPOCH + listed_us(event, microseconds(raised_at), newest_us=0) * MICROSECOND,
        )

    def _matches(self, rule: Rule, detection: Detection, heard: Mapping[int, Corroboration]) -> bool:
        return rule.matches(detection, self._taxonomy, self._protection, heard.get(detection.ordinal))

    def _zone_of(self, rule: Rule, event: Event) -> Zone | None:
        if event.location is None:
            return None
        return next((self._zones[name] for name in rule.zones if self._zones[name].contains(event.location)), None)

    def _local_time(self, event: Event, now: datetime) -> datetime | None:
        """Return the local time of a capture; None if it is not known."""
        if not event.clock.is_known or not is_believed(event, microseconds(now)):
            return None
        return event.captured_at.astimezone(self._time_zone)


def load_rules(options: RulesOptions, beside: Path) -> RuleSet:
    """Read the files of zones and protection levels, and return the validated rule set.

    Args:
        options: The rules.
        beside: Folder that the paths of zones and species are relative to.

    Raises:
        ZonesError: the zones file is invalid.
        SpeciesError: the table of species is invalid.
        RulesError: the rules are invalid.
    """
    zones = read_zones(beside / options.zones) if options.zones else ()
    return RuleSet(options, zones, read_species(beside / options.species) if options.species else {})


def _confidence(detection: Detection, heard: Mapping[int, Corroboration]) -> float:
    combined = heard.get(detection.ordinal)
    return max(detection.confidence, combined.confidence if combined else 0.0)


def _when(rule: Rule, local: datetime | None, place: Location | None) -> dict[str, str] | None:
    """Return the ``Flag.reason_values`` for the season and hours of a rule that contain a local time.

    None if the time is outside the seasons or outside the hours of the rule.
    """
    if local is None:
        # The time is unknown, so the conditions on it count as met: prefer a needless review to a missed finding.
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
            # The position of the sun is unknown: prefer a needless review to a missed finding.
            return {"hours_start": hours.start, "hours_end": hours.end, "place_unknown": "yes"}
        span = hours.span(local, place)
        if span is None:
            continue
        values = {"hours_start": hours.start, "hours_end": hours.end}
        if hours.by_sun:
            values |= {"hours_start_at": f"{span[0]:%H:%M}", "hours_end_at": f"{span[1]:%H:%M}"}
        return values | ({"night": "yes"} if hours.night else {})
    return None if rule.hours else {}
