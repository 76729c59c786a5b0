"""Plan of a simulated fleet: where each station stands, what it has, and what will be wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from contract import Location
from contract.deployment import SensorKind
from ingest.rules.zones import Zone
from wildpost.simulation.faults import ROLES, Role

MAX_STATIONS = 1_000  # one process; each has a connection of its own at a broker
_AREA = (117.10, 30.90, 117.44, 31.45)  # west, south, east, north: around the example zones
_HABITATS = ("evergreen broad-leaved forest", "mixed forest", "bamboo", "reed bed", "farmland edge")
_SENSORS: tuple[tuple[SensorKind, ...], ...] = (("camera",), ("camera", "microphone"), ("camera",), ("microphone",))
_TRIES = 200  # drawn places until one is in the zone


@dataclass(frozen=True, slots=True)
class StationPlan:
    """Where a simulated station stands, and what it has.

    Attributes:
        name: Name of the station.
        location: Where it stands.
        location_name: Name of the place.
        habitat: Habitat.
        sensors: Its sensors.
        role: What is wrong with it at the end of the simulated time.
    """

    name: str
    location: Location
    location_name: str
    habitat: str
    sensors: tuple[SensorKind, ...]
    role: Role = "sound"


@dataclass(frozen=True, slots=True)
class ReportIntervals:
    """Hours between two effort records of a sensor, and between two health reports."""

    effort_h: int = 1
    health_h: int = 1


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What is simulated; equal options give equal messages.

    Attributes:
        names: Names of the stations.
        start: Beginning, on a whole hour.
        hours: Length.
        seed: Seed of all drawn numbers.
        prefix: First levels of every topic.
        reports: How often effort and health are reported.
        busyness: Captures, as a multiple of the usual number.
    """

    names: Sequence[str]
    start: datetime
    hours: int
    seed: int = 0
    prefix: str = "wildpost"
    reports: ReportIntervals = field(default_factory=ReportIntervals)
    busyness: float = 1.0


def intervals_for(hours: int) -> ReportIntervals:
    """Return how often effort and health are reported: seldom in a long simulation, which must take seconds."""
    return ReportIntervals() if hours <= 31 * 24 else ReportIntervals(effort_h=7 * 24, health_h=7 * 24)


def station_names(count: int, name: str = "sim") -> tuple[str, ...]:
    """Return names such as sim-001."""
    return tuple(f"{name}-{number:03}" for number in range(1, count + 1))


def plan_stations(names: Sequence[str], zones: Sequence[Zone], seed: int) -> list[StationPlan]:
    """Draw where stations stand and what they have: two thirds of them in zones, in turn.

    Of each eight stations one falls silent, one is blind and one loses its clock.
    """
    random = Random(f"{seed}/places")  # noqa: S311, not a secret
    plans = []
    for number, name in enumerate(names):
        zone = zones[number % len(zones)] if zones and number % 3 < 2 else None
        place = _place(zone, random)
        role = ROLES[(number % 8) // 2 - 1] if number % 8 in (2, 4, 6) else "sound"
        plans.append(
            StationPlan(
                name=name,
                location=place,
                location_name=f"{zone.name_zh} {number + 1}" if zone else f"{name} (simulated)",
                habitat=_HABITATS[number % len(_HABITATS)],
                sensors=_SENSORS[number % len(_SENSORS)],
                role=role,
            )
        )
    return plans


def _place(zone: Zone | None, random: Random) -> Location:
    west, south, east, north = zone.area.context.bounds if zone else _AREA
    for _ in range(_TRIES):
        latitude, longitude = round(random.uniform(south, north), 4), round(random.uniform(west, east), 4)
        place = Location(latitude=latitude, longitude=longitude)
        if zone is None or zone.contains(place):
            break
    return place
