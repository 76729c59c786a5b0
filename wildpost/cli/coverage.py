"""`wildpost coverage`: blind spots of the stations in time and space, and places for further stations."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from wildpost.cli.server_data_options import add_data, add_days, add_time_zone
from wildpost.settings.data_folder import named_folder

if TYPE_CHECKING:
    from pipelines.coverage.blind_spots import BlindSpots


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


def run(arguments: argparse.Namespace) -> int:
    """Print working hours, zones and proposed places."""
    from ingest.rules.zones import read_zones
    from pipelines.coverage.blind_spots import CoverageRequest, blind_spots
    from wildpost.cli.copied_stores import copied_stores

    request = CoverageRequest(
        arguments.first, arguments.last, ZoneInfo(arguments.time_zone), arguments.reach_m, arguments.further
    )
    zones = read_zones(arguments.zones) if arguments.zones else ()
    with copied_stores(named_folder(arguments.data)) as (store, casebook):
        found = blind_spots(store, casebook, zones, request)
    print(json.dumps(_as_json(found), ensure_ascii=False, indent=1) if arguments.json else _as_text(found))
    return 0


def _as_json(found: "BlindSpots") -> dict[str, object]:
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


def _as_text(found: "BlindSpots") -> str:
    lines = ["Working hours: share of each local hour of the day, in tenths; ? not known"]
    lines.append(f"{'station':24} {'all':>5}  {' '.join(f'{hour:02}' for hour in range(24))}  watched under half")
    for one in found.hours:
        tenths = " ".join(" ?" if value != value else f"{round(10 * value):2}" for value in one.by_hour)
        lines.append(f"{one.station:24} {one.watched_share:5.0%}  {tenths}  {', '.join(one.unwatched_ranges()) or '-'}")
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
