"""Blind spots from stored data: hours in which stations do not watch, zones out of reach, places for more stations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from casebook.casebook import Casebook
from contract import Location
from contract.errors import InvalidInput
from ingest.rules.zones import Zone
from ingest.store.effort import EffortQuery
from ingest.store.port import EventQuery, Store
from pipelines.coverage.working_hours import WorkingHours, working_hours
from pipelines.coverage.zone_coverage import ProposedPlace, ZoneArea, ZoneCoverage, zone_coverage
from pipelines.trends.counting import check_days, local_midnight

MAX_FURTHER, LARGEST_REACH_M = 50, 100_000
LONGEST = timedelta(days=3 * 366)
_AT_ONCE = 1_000  # events read at once


class BadCoverage(InvalidInput):
    """A value of a request for blind spots is not valid; the message names it."""


@dataclass(frozen=True, slots=True)
class CoverageRequest:
    """A request for blind spots.

    Attributes:
        first: First local day.
        last: Last local day.
        zone: Time zone of the days and hours.
        reach_m: Distance in metres up to which a station notices something.
        further: Number of further stations to propose places for.

    Raises:
        BadCoverage: a value is out of range.
        BadPeriod: see ``check_days``.
    """

    first: date
    last: date
    zone: ZoneInfo
    reach_m: float = 500
    further: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.further <= MAX_FURTHER:
            raise BadCoverage(f"{self.further} further stations: expected 0 to {MAX_FURTHER}")
        if not timedelta(0) <= self.last - self.first <= LONGEST:
            raise BadCoverage(f"{self.first} to {self.last}: expected days in order, at most {LONGEST.days} apart")
        check_days(self.first, self.last)
        if not 1 <= self.reach_m <= LARGEST_REACH_M:
            raise BadCoverage(f"reach of {self.reach_m:g} m: expected 1 to {LARGEST_REACH_M}")


@dataclass(frozen=True, slots=True)
class BlindSpots:
    """Blind spots of all stations.

    Attributes:
        hours: Working hours of each station that reported effort.
        zones: Reach of the stations in each zone.
        places: Proposed places, the best first.
        stations: Position of each station; None if it is not known.
    """

    hours: tuple[WorkingHours, ...]
    zones: tuple[ZoneCoverage, ...]
    places: tuple[ProposedPlace, ...]
    stations: Mapping[str, Location | None]

    @property
    def unplaced(self) -> list[str]:
        """Stations whose position is not known: they count in no zone."""
        return sorted(name for name, place in self.stations.items() if place is None)


def blind_spots(store: Store, casebook: Casebook, zones: Sequence[Zone], request: CoverageRequest) -> BlindSpots:
    """Read effort, stations and incidents, and find what is not watched.

    Args:
        store: The detections and the effort.
        casebook: The flags and the verdicts.
        zones: The zones.
        request: Days, reach and number of further stations.
    """
    start = local_midnight(request.first, request.zone)
    end = local_midnight(request.last + timedelta(days=1), request.zone)
    hours = working_hours(store.effort(EffortQuery(start, end)), start, end, request.zone)
    stations = _positions(store)
    flagged = sorted({flag.event_id for flag in casebook.flags_raised(start, end)}) if zones else []
    covered, places = zone_coverage(
        [ZoneArea(one.id, one.area.context) for one in zones],
        [(name, place) for name, place in stations.items() if place is not None],
        _incident_places(store, casebook, flagged),
        request.reach_m,
        request.further,
    )
    return BlindSpots(tuple(hours), tuple(covered), tuple(places), stations)


def _positions(store: Store) -> dict[str, Location | None]:
    """Return the latest known position of each station."""
    deployed = {one.station: one.location for one in store.deployments()}
    found: dict[str, Location | None] = {}
    for state in store.stations():
        newest = store.events(EventQuery(stations=(state.station,), limit=1))
        place = newest[0].location if newest else None
        found[state.station] = place or deployed.get(state.station)
    return found


def _incident_places(store: Store, casebook: Casebook, flagged: Sequence[str]) -> list[Location]:
    """Return the places of flagged captures, without those that people dismissed."""
    verdicts = casebook.verdicts_of(flagged)
    kept = [one for one in flagged if not any(verdict.outcome == "dismissed" for verdict in verdicts.get(one, ()))]
    places = []
    for index in range(0, len(kept), _AT_ONCE):
        ids = tuple(kept[index : index + _AT_ONCE])
        places += [
            event.location for event in store.events(EventQuery(event_ids=ids, limit=len(ids))) if event.location
        ]
    return places
