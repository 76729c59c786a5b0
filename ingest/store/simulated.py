"""Which stations are simulated: for training, a load test or a demo."""

from collections.abc import Iterable

from contract import Deployment


def simulated_stations(deployments: Iterable[Deployment]) -> frozenset[str]:
    """Return the stations that any deployment record says are simulated; see ``Store.deployments``."""
    return frozenset(one.station for one in deployments if one.simulated is True)
