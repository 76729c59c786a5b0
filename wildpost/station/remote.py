"""Connects a station with its publisher and with what the server may tell it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.capture.originals import Originals
from edge.link_budget import LinkBudget
from edge.outbox.outbox import Outbox
from edge.remote.control import Abilities, RemoteControl
from edge.remote.desired_file import DesiredFile
from edge.remote.originals import KeptOriginals
from edge.remote.settings_change import SettingsChange
from edge.station import Station
from edge.transport.mqtt.inbox import Inbox
from edge.transport.mqtt.publisher import Publisher
from wildpost.settings.desired import values_in_force, with_desired
from wildpost.settings.station import StationSettings


@dataclass(frozen=True, slots=True)
class Changeable:
    """What the server may change: the file of what it wants, and the settings of the station's own file.

    ``trial_s`` is the time after which a change is decided, in seconds.
    """

    file: DesiredFile
    base: StationSettings
    trial_s: float


@dataclass(frozen=True, slots=True)
class AssembledStation:
    """A station with its publisher and their common outbox, which the caller starts and stops.

    ``control`` is None if the server may not tell it anything.
    """

    station: Station
    publisher: Publisher
    outbox: Outbox
    control: RemoteControl | None = None


def remote_station(
    settings: StationSettings,
    data: Path,
    station: Station,
    outbox: Outbox,
    links: LinkBudget,
    key: Ed25519PrivateKey,
    originals: Mapping[str, Originals | None],
    restart: Callable[[], object],
    changeable: Changeable | None = None,
) -> AssembledStation:
    """Build the publisher of a station and, if the settings name a root key, what acts on the server's envelopes.

    Args:
        settings: The station's settings.
        data: The data folder of this machine.
        station: The station.
        outbox: Its outbox.
        links: Budget of its link.
        key: Its key.
        originals: Folder of what each sensor records itself, by the sensor's name; None: it records nothing.
        restart: Ends the run of the station so that it is built anew.
        changeable: Settings that the server may change; None: none.
    """
    name, release = settings.station.name, version("wildpost")
    if not settings.remote.root_key:
        return AssembledStation(station, Publisher(settings.broker, name, outbox, release, links=links), outbox)

    def status() -> str:
        health = msgspec.structs.replace(station.health(data), passed_over=())  # long, and in each health message
        report = {"version": release, "sensors": dict(station.sensor_states.all()), "health": health}
        return msgspec.json.encode(report).decode()

    own = {sensor: folder for sensor, folder in originals.items() if folder is not None}
    kept = KeptOriginals(outbox, own, sounds_may_leave=settings.voice.policy == "keep")
    change = _settings_change(settings, station, restart, changeable) if changeable else None
    abilities = Abilities(status, lambda: publisher.retry(), restart, kept, change)
    control = RemoteControl(name, settings.broker.prefix, settings.remote.root_key, key, outbox, abilities)
    inbox = Inbox(settings.broker.prefix, name, control.deliver)
    publisher = Publisher(settings.broker, name, outbox, release, inbox, links)
    return AssembledStation(station, publisher, outbox, control)


def _settings_change(
    settings: StationSettings, station: Station, restart: Callable[[], object], changeable: Changeable
) -> SettingsChange:
    return SettingsChange(
        changeable.file,
        lambda desired: with_desired(changeable.base, desired),
        values_in_force(settings),
        station.sensor_states.working,
        restart,
        changeable.trial_s,
    )
