"""Places, habitats and positions of stations, from the stations' own account of their deployments."""

from collections.abc import Iterable, Mapping

from contract import Deployment, Location
from pipelines.trends.request import GroupBy


def groups(deployments: Iterable[Deployment], group_by: GroupBy) -> Mapping[str, str]:
    """Return the place or the habitat of each station, from its latest deployment that names one.

    Stations whose place or habitat is not known are left out.
    """
    latest = _in_order(deployments)
    names = ((one.station, one.location_name if group_by == "place" else one.habitat) for one in latest)
    return {station: name for station, name in names if name}


def positions(deployments: Iterable[Deployment]) -> Mapping[str, Location]:
    """Return the position of each station from its latest deployment that has one."""
    return {one.station: one.location for one in _in_order(deployments) if one.location is not None}


def _in_order(deployments: Iterable[Deployment]) -> list[Deployment]:
    return sorted(deployments, key=lambda one: one.start or one.at)
