"""Groups of stations: by place or by habitat, from the stations' own account of their deployments."""

from collections.abc import Iterable, Mapping

from contract import Deployment
from pipelines.trends.request import GroupBy


def groups(deployments: Iterable[Deployment], group_by: GroupBy) -> Mapping[str, str]:
    """Return the place or the habitat of each station, from its latest deployment that names one.

    Stations whose place or habitat is not known are left out.
    """
    found: dict[str, tuple[float, str]] = {}
    for one in deployments:
        name = one.location_name if group_by == "place" else one.habitat
        since = (one.start or one.at).timestamp()
        if name and since >= found.get(one.station, (float("-inf"), ""))[0]:
            found[one.station] = since, name
    return {station: name for station, (_, name) in found.items()}
