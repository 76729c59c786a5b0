"""`wildpost coverage`: blind spots of the stations in time and space, and places for further stations."""

import argparse
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.settings.data_folder import named_folder

if TYPE_CHECKING:
    from casebook.casebook import Casebook
    from contract import Location
    from ingest.store.duckdb.store import DuckDbStore
    from pipelines.coverage.working_hours import WorkingHours
    from pipelines.coverage.zone_coverage import ProposedPlace, ZoneCoverage

MAX_FURTHER = 50
LONGEST = timedelta(days=3 * 366)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost coverage` to the argument parser."""
    about = "show the hours in which stations do not watch and the parts of zones out of their reach"
    coverage = commands.add_parser("coverage", help=about, description=about)
    add_days(coverage, required=True)
    coverage.add_argument("--zones", type=Path, metavar="FILE", help="GeoJSON file of the zones, as the rules have it")
    coverage.add_argument(
        "--reach-m",
        type=float,
        default=500,
        metavar="METRES",
        help="distance up to which a station notices something (default: 500)",
    )
    coverage.add_argument(
        "--further", type=int, default=0, metavar="K", help="also propose the best places for K more stations"
    )
    add_time_zone(coverage, "the hours")
    coverage.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_data(coverage)
    coverage.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Found:
    hours: "list[WorkingHours]"
    zones: "list[ZoneCoverage]"
    places: "list[ProposedPlace]"
    unplaced: list[str]


def run(arguments: argparse.Namespace) -> int:
    """Print working hours, zones and proposed places."""
    if not 0 <= arguments.further <= MAX_FURTHER:
        raise InvalidInput(f"--further {arguments.further}: expected 0 to {MAX_FURTHER}")
    if not timedelta(0) <= arguments.last - arguments.first <= LONGEST:
        raise InvalidInput(
            f"--from {arguments.first} --to {arguments.last}: expected days in order, at most {LONGEST.days} apart"
        )
    if not 1 <= arguments.reach_m <= 100_000:
        raise InvalidInput(f"--reach-m {arguments.reach_m:g}: expected 1 to 100000")
    found = _find(arguments)
    print(json.dumps(_as_json(found), ensure_ascii=False, indent=1) if arguments.json else _as_text(found))
    return 0


def _find(arguments: argparse.Namespace) -> _Found:
    from ingest.rules.zones import read_zones
    from ingest.store.effort import EffortQuery
    from pipelines.coverage.working_hours import working_hours
    from pipelines.coverage.zone_coverage import ZoneArea, zone_coverage
    from pipelines.trends.counting import local_midnight
    from wildpost.cli.copied_stores import copied_stores

    zone = ZoneInfo(arguments.time_zone)
    start, end = local_midnight(arguments.first, zone), local_midnight(arguments.last + timedelta(days=1), zone)
    zones = read_zones(arguments.zones) if arguments.zones else ()
    with copied_stores(named_folder(arguments.data)) as (store, casebook):
        hours = working_hours(store.effort(EffortQuery(start, end)), start, end, zone)
        places = _places(store)
        flagged = {flag.event_id for flag in casebook.flags_raised(start, end)}
        incidents = _incident_places(store, casebook, sorted(flagged))
    areas = [ZoneArea(one.id, one.area.context) for one in zones]
    stations = [(name, place) for name, place in places.items() if place is not None]
    found, proposed = zone_coverage(areas, stations, incidents, arguments.reach_m, arguments.further)
    return _Found(hours, found, proposed, sorted(name for name, place in places.items() if place is None))


def _places(store: "DuckDbStore") -> "dict[str, Location | None]":
    """Return the latest known place of each station, by name."""
    from ingest.store.port import EventQuery

    deployed = {one.station: one.location for one in store.deployments()}
    found: dict[str, Location | None] = {}
    for state in store.stations():
        newest = store.events(EventQuery(stations=(state.station,), limit=1))
        place = newest[0].location if newest else None
        found[state.station] = place or deployed.get(state.station)
    return found


def _incident_places(store: "DuckDbStore", casebook: "Casebook", flagged: list[str]) -> "list[Location]":
    """Return the places of flagged captures, without those that people dismissed."""
    from ingest.store.port import EventQuery

    verdicts = casebook.verdicts_of(flagged)
    kept = [one for one in flagged if not any(verdict.outcome == "dismissed" for verdict in verdicts.get(one, ()))]
    places = []
    for index in range(0, len(kept), 1_000):
        ids = tuple(kept[index : index + 1_000])
        places += [
            event.location for event in store.events(EventQuery(event_ids=ids, limit=len(ids))) if event.location
        ]
    return places


def _as_json(found: _Found) -> dict[str, object]:
    return {
        "working_hours": [
            {
                "station": one.station,
                "watched_share": round(one.watched_share, 4),
                "by_hour": [None if value != value else round(float(value), 4) for value in one.by_hour],
                "unwatched_hours": one.unwatched(),
            }
            for one in found.hours
        ],
        "zones": [
            {
                "zone": one.zone,
                "area_ha": round(one.area_ha, 1),
                "covered_share": round(one.covered_share, 4),
                "stations": list(one.stations),
                "incidents": one.incidents,
            }
            for one in found.zones
        ],
        "further_places": [
            {
                "zone": one.zone,
                "latitude": round(one.location.latitude, 5),
                "longitude": round(one.location.longitude, 5),
                "new_ha": round(one.new_ha, 1),
                "incidents": one.incidents,
                "nearest_station": one.nearest_station or None,
                "nearest_m": None if one.nearest_m is None else round(one.nearest_m),
            }
            for one in found.places
        ],
        "stations_without_place": found.unplaced,
    }


def _as_text(found: _Found) -> str:
    lines = ["Working hours: share of each local hour of the day, in tenths; ? not known"]
    lines.append(f"{'station':24} {'all':>5}  {' '.join(f'{hour:02}' for hour in range(24))}  watched under half")
    for one in found.hours:
        tenths = " ".join(" ?" if value != value else f"{round(10 * value):2}" for value in one.by_hour)
        lines.append(f"{one.station:24} {one.watched_share:5.0%}  {tenths}  {_ranges(one.unwatched())}")
    if not found.hours:
        lines.append("no station reported effort in this period: not known")
    if found.zones:
        lines += ["", f"{'zone':24} {'hectares':>10} {'in reach':>9} {'stations':>9} {'incidents':>10}"]
        for area in found.zones:
            lines.append(
                f"{area.zone:24} {area.area_ha:10,.0f} {area.covered_share:9.1%} {len(area.stations):9} "
                f"{area.incidents:10}"
            )
    for number, place in enumerate(found.places, 1):
        near = "no station yet" if place.nearest_m is None else f"{place.nearest_m:,.0f} m from {place.nearest_station}"
        lines.append(
            f"place {number}: {place.location.latitude:.5f} {place.location.longitude:.5f} in {place.zone}: "
            f"{place.new_ha:,.0f} ha more in reach, {place.incidents} past incidents, {near}"
        )
    lines += [f"no place is known of {name}: it counts in no zone" for name in found.unplaced]
    return "\n".join(lines)


def _ranges(hours: list[int]) -> str:
    """Return hours as ranges, such as "01-04, 22-24"."""
    found: list[list[int]] = []
    for hour in hours:
        if found and found[-1][1] == hour:
            found[-1][1] = hour + 1
        else:
            found.append([hour, hour + 1])
    return ", ".join(f"{low:02}-{high:02}" for low, high in found) or "-"
