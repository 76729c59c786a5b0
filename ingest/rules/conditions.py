"""Rules about captures, and their conditions: type, label, confidence, protection, zone, season and hours."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec

from casebook.incidents.corroboration import Corroboration
from contract import Detection, Location
from contract.messages import ObservationType
from contract.severity import Severity
from i18n.taxonomy import Taxonomy
from ingest.rules.protection import Protection
from ingest.rules.sun import RISING, is_sun_event, sun_event_name, sun_event_time


class Season(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period of the year from one month-day such as "03-01" to another, both included; may span new year."""

    start: str
    end: str

    def __post_init__(self) -> None:
        for day in (self.start, self.end):
            _check_day(day)

    def contains(self, moment: datetime) -> bool:
        """Return whether the day of a local time is in the season."""
        day = f"{moment.month:02d}-{moment.day:02d}"
        if self.start <= self.end:
            return self.start <= day <= self.end
        return self.start <= day or day <= self.end


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period of the day, which may span midnight and does not include its end.

    Attributes:
        start: A local time such as "19:00", or a sun event ("dawn", "sunrise", "sunset", "dusk") with an optional
            offset in hours and minutes, such as "sunset-00:30".
        end: In the same form as ``start``.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        for hour in (self.start, self.end):
            if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", hour) and not is_sun_event(hour):
                raise ValueError(
                    f"hour {hour!r}: expected hours and minutes such as 19:00, or a sun event such as sunset or "
                    "sunrise+00:30"
                )

    @property
    def by_sun(self) -> bool:
        """Whether the start or the end is a sun event such as "sunset", whose time depends on the place."""
        return is_sun_event(self.start) or is_sun_event(self.end)

    @property
    def night(self) -> bool:
        """Whether these hours start in the evening and end in the morning."""
        evening = sun_event_name(self.start) not in RISING if is_sun_event(self.start) else self.start >= "17:00"
        morning = sun_event_name(self.end) in RISING if is_sun_event(self.end) else self.end <= "08:00"
        return evening and morning

    def span(self, moment: datetime, place: Location | None = None) -> tuple[datetime, datetime] | None:
        """Return these hours as start and end times around a local time; None if the local time is outside the hours.

        Raises:
            ValueError: the hours depend on the sun, and no place is given.
        """
        days = (moment.date() + timedelta(days=off) for off in (-1, 0))
        spans = (self._span_from(day, moment, place) for day in days)
        return next(((start, end) for start, end in spans if start <= moment < end), None)

    def _span_from(self, day: date, moment: datetime, place: Location | None) -> tuple[datetime, datetime]:
        start, end = self._edge(self.start, day, moment, place), self._edge(self.end, day, moment, place)
        starts_at_sunset = is_sun_event(self.start) and sun_event_name(self.start) not in RISING
        # After a sunset, the sunrise is always the next day's, even if the sun does not rise and both are at noon.
        over_midnight = end < start or (
            starts_at_sunset and is_sun_event(self.end) and sun_event_name(self.end) in RISING
        )
        return start, self._edge(self.end, day + timedelta(days=1), moment, place) if over_midnight else end

    def _edge(self, text: str, day: date, moment: datetime, place: Location | None) -> datetime:
        if is_sun_event(text):
            if place is None or moment.tzinfo is None:
                raise ValueError(
                    f"hours from {self.start} to {self.end} depend on the sun: expected a place and a time zone"
                )
            return sun_event_time(text, day, moment.tzinfo, place)
        hours, minutes = text.split(":")
        midnight = datetime(day.year, day.month, day.day, tzinfo=moment.tzinfo)
        # Wall-clock arithmetic: on a day with a clock change, 19:00 is still what a clock on the wall shows.
        return midnight + timedelta(hours=int(hours), minutes=int(minutes))


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions on captures; the rule raises a flag on each capture that meets all conditions.

    An empty condition is always met.

    Attributes:
        name: Name of the rule on its flags; do not change it once in use.
        severity: "notice", "warning" or "urgent".
        observation_types: Accepted observation types, such as "human", "vehicle".
        labels: Accepted labels or scientific names, such as "gunshot"; of a group such as "Felidae", all its members.
        protection: Accepted protection levels, such as "I", of the official lists and the table of species.
        min_confidence: Lowest confidence of a detection, and of its identification if the rule has labels or protection
            levels; if several stations heard one shot, their combined confidence
            counts.
        min_stations: Lowest number of stations that heard the sound within its travel time.
        zones: Ids of the accepted zones; an event without a location is in no zone. Empty: anywhere.
        seasons: Accepted seasons.
        hours: Accepted hours.
    """

    name: str
    severity: Severity = "warning"
    observation_types: tuple[ObservationType, ...] = ()
    labels: tuple[str, ...] = ()
    protection: tuple[str, ...] = ()
    min_confidence: float = 0.5
    min_stations: Annotated[int, msgspec.Meta(ge=1)] = 1
    zones: tuple[str, ...] = ()
    seasons: tuple[Season, ...] = ()
    hours: tuple[Hours, ...] = ()

    def __post_init__(self) -> None:
        if not self.observation_types and not self.labels and not self.protection:
            raise ValueError(
                f"rule {self.name!r}: expected observation_types or labels or protection; else it flags everything"
            )
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"rule {self.name!r}: min_confidence {self.min_confidence} is outside 0..1")

    def matches(
        self, detection: Detection, taxonomy: Taxonomy, protection: Protection, heard: Corroboration | None = None
    ) -> bool:
        """Return whether a detection meets the rule's conditions on type, label, protection, confidence and stations.

        Args:
            detection: The detection of one station.
            taxonomy: Names of taxa; a label of the rule matches under every name of its taxon.
            protection: Protection levels.
            heard: Combined evidence of several stations for it.
        """
        return (
            self.confidence(detection, heard) >= self.min_confidence
            and (len(heard.stations) if heard else 1) >= self.min_stations
            and (not self.observation_types or detection.observation_type in self.observation_types)
            and (not self.labels or self._is_labelled(detection, taxonomy))
            and (not self.protection or protection.of(detection) in self.protection)
        )

    def confidence(self, detection: Detection, heard: Corroboration | None = None) -> float:
        """Return the confidence that counts: of the identification where the rule asks for a taxon, else of the find.

        Args:
            detection: The detection of one station.
            heard: Combined evidence of several stations for it.
        """
        by_taxon = bool(self.labels or self.protection)
        own = min(detection.confidence, detection.identification.confidence) if by_taxon else detection.confidence
        return max(own, heard.confidence if heard else 0.0)

    def _is_labelled(self, detection: Detection, taxonomy: Taxonomy) -> bool:
        named = detection.identification
        names = {named.label, named.scientific_name, *_not_a_taxon(detection, taxonomy)}
        if not names.isdisjoint(self.labels):
            return True
        taxon = taxonomy.resolve(named.label, named.scientific_name, detection.observation_type)
        key = taxonomy.key(named.label, named.scientific_name, detection.observation_type)
        above = (*taxon.lineage, key) if taxon else (key,)
        return any(taxonomy.key(label, None, detection.observation_type) in above for label in self.labels)


def _not_a_taxon(detection: Detection, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return the detector's own label if it only says that there is an animal; a classifier has not denied that."""
    taxon = taxonomy.find(detection.label, detection.observation_type)
    return (detection.label,) if taxon is not None and taxon.scientific_name is None else ()


def _check_day(day: str) -> None:
    try:
        # 2000 is a leap year, so 29 February is valid.
        read = datetime.strptime(f"2000-{day}", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"day {day!r}: expected month and day such as 03-01") from error
    if f"{read:%m-%d}" != day:
        raise ValueError(f"day {day!r}: expected month and day in two digits each, such as 03-01")
