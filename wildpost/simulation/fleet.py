"""A fleet of simulated stations in a reserve."""

import heapq
from collections.abc import Iterator, Sequence

from ingest.rules.zones import Zone
from wildpost.simulation.plan import FleetOptions, plan_stations
from wildpost.simulation.station import SentMessage, SimulatedStation
from wildpost.simulation.statistics import shipped_statistics


def fleet_messages(options: FleetOptions, zones: Sequence[Zone] = ()) -> Iterator[SentMessage]:
    """Yield the messages of all stations in the order in which they arrive."""
    statistics = shipped_statistics()
    plans = plan_stations(options.names, zones, options.seed)
    streams = [SimulatedStation(plan, statistics, options).messages() for plan in plans]
    return heapq.merge(*streams, key=lambda one: one.at)
