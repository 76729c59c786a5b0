"""The simulated reserve of the demo: a year of several stations, and what they go on to send."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.mqtt import BrokerOptions
from ingest.rules.zones import Zone, read_zones
from wildpost.settings.examples import EXAMPLES
from wildpost.settings.server import ServerSettings
from wildpost.simulation.fleet import fleet_messages
from wildpost.simulation.intake import Written, write_into
from wildpost.simulation.plan import FleetOptions, intervals_for, plan_stations, station_names
from wildpost.simulation.publishing import FleetPublisher

_YEAR_H = 365 * 24
_WEEK_H = 7 * 24
_BUSY = 40.0  # a capture every few minutes, since nobody watches a demo for a day


def simulate_year(folder: Path, settings: ServerSettings, stations: int) -> Written:
    """Store a simulated year up to now in the data folder of the demo's server, with decisions on its captures."""
    start = _this_hour() - timedelta(hours=_YEAR_H)
    options = FleetOptions(station_names(stations), start, _YEAR_H, reports=intervals_for(_YEAR_H))
    return write_into(folder, settings, EXAMPLES, fleet_messages(options, _zones(settings)), decide=True)


@contextmanager
def simulated_present(settings: ServerSettings, broker_port: int, stations: int) -> Iterator[None]:
    """Let the simulated stations that are in order go on, in real time and through the broker, until the context ends.

    Args:
        settings: Settings of the demo's server, which name its zones.
        broker_port: Port of the broker on this machine.
        stations: Number of simulated stations.
    """
    zones = _zones(settings)
    plans = plan_stations(station_names(stations), zones, 0)
    sound = {plan.name for plan in plans if plan.role == "sound"}
    options = FleetOptions(station_names(stations), _this_hour(), _WEEK_H, busyness=_BUSY)
    messages = (one for one in fleet_messages(options, zones) if one.station in sound)
    stopping = threading.Event()
    broker = BrokerOptions(host="127.0.0.1", port=broker_port, protocol="3.1.1")
    publisher = FleetPublisher(dict.fromkeys(sorted(sound), broker), stopping)
    thread = threading.Thread(
        target=publisher.publish, args=(messages, 1.0, options.start, lambda: datetime.now(UTC)), name="simulation"
    )
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        publisher.close()


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _zones(settings: ServerSettings) -> Sequence[Zone]:
    return read_zones(EXAMPLES / settings.rules.zones)
