"""A station's settings file, and the station that is built from it."""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, tzinfo
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec

from contract.messages import Name
from edge.lock import held
from edge.originals import Originals, Recordings
from edge.outbox import Outbox
from edge.publisher import BrokerOptions, Publisher
from edge.sources.camera import CameraOptions, CameraSource
from edge.sources.folder import FolderSource
from edge.sources.microphone import MicrophoneOptions, MicrophoneSource
from edge.sources.port import Source
from edge.station import Sensor, Station, StationOptions
from edge.triggers import SilenceTrigger
from models.birdnet import BirdNet, BirdNetOptions
from models.opening import open_vision
from models.protocol import Detector
from models.registry import load_registry
from models.threat import SHIPPED, ThreatOptions, ThreatSounds, VoiceOptions
from models.vision import VisionOptions
from wildpost.settings import SettingsError, load_settings

LOOKING = frozenset({"vision"})  # the other detectors listen


class SensorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sensor: where its captures come from, and which detectors look at them.

    Attributes:
        name: Unique on the station.
        source: What it is; ``folder``, ``camera`` or ``microphone`` below then says which.
        detectors: "vision" for pictures, "birdnet" and "threat" for sound.
        folder: To watch, for source "folder"; relative to the settings file.
        camera: For source "camera".
        microphone: For source "microphone".
        visit_gap_s: Longest pause within a visit.
        stretch_s: A longer recording in the folder is cut into pieces of this length.
        silence_db: Sound below this, in decibels below full scale, is not listened to.
        originals_quota_bytes: What a camera's pictures or a microphone's recordings may take on the disk; the oldest
            go first.
    """

    name: Name
    source: Literal["folder", "camera", "microphone"]
    detectors: tuple[Literal["vision", "birdnet", "threat"], ...]
    folder: str = ""
    camera: CameraOptions = CameraOptions()
    microphone: MicrophoneOptions = MicrophoneOptions()
    visit_gap_s: float = 60.0
    stretch_s: float = 60.0
    silence_db: float = -90.0
    originals_quota_bytes: int = 8_000_000_000

    def __post_init__(self) -> None:
        if self.source == "folder" and not self.folder:
            raise ValueError(f"sensor {self.name!r} watches a folder: expected its path in 'folder'")
        if not self.detectors:
            raise ValueError(
                f"sensor {self.name!r}: expected at least one of 'vision', 'birdnet', 'threat' in 'detectors'"
            )
        useful = {"camera": bool(LOOKING & set(self.detectors)), "microphone": bool(set(self.detectors) - LOOKING)}
        if not useful.get(self.source, True):
            raise ValueError(f"sensor {self.name!r}: no detector of {list(self.detectors)} can use a {self.source}")


class VisionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which network looks at pictures.

    Attributes:
        model: As `wildpost models list` has it.
        registry: A registry file of one's own that describes the model; relative to the settings file.
        weights: The folder that holds its weights; relative to the settings file; empty: models in the data folder.
        options: How to run it.
    """

    model: str = "wildpost-nano"
    registry: str = ""
    weights: str = ""
    options: VisionOptions = VisionOptions()


class ThreatSettings(ThreatOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which network listens for threats, and how.

    Attributes:
        model: As `wildpost models list` has it.
        registry: A registry file of one's own that describes the model; relative to the settings file.
    """

    model: str = SHIPPED
    registry: str = ""


class StationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a station is told; configs/station.toml is an example with comments."""

    station: StationOptions
    sensors: tuple[SensorOptions, ...]
    broker: BrokerOptions = BrokerOptions()
    vision: VisionSettings = VisionSettings()
    birdnet: BirdNetOptions = BirdNetOptions()
    threat: ThreatSettings = ThreatSettings()
    voice: VoiceOptions = VoiceOptions()

    def __post_init__(self) -> None:
        names = [sensor.name for sensor in self.sensors]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"sensors {names}: expected at least one, each with a name of its own")


def load_station(path: Path) -> StationSettings:
    """Read a station's settings.

    Raises:
        SettingsError: the file cannot be used; the message names the key.
    """
    settings = load_settings(path, StationSettings)
    if settings.broker.username and settings.broker.password_variable not in os.environ:
        raise SettingsError(
            f"{path} [broker]: username {settings.broker.username!r} wants a password in the environment variable "
            f"{settings.broker.password_variable}, which is not set"
        )
    return settings


def station_folder(settings: StationSettings, data: Path) -> Path:
    """Name the folder of one station in the data folder: its outbox, and what it recorded itself."""
    return data / "stations" / settings.station.name


@contextlib.contextmanager
def assembled(settings: StationSettings, beside: Path, data: Path) -> Iterator[tuple[Station, Publisher, Outbox]]:
    """Build a station and its publisher; both use the outbox, which is closed at the end.

    Args:
        settings: What it is told.
        beside: The folder that paths in the settings are relative to.
        data: The data folder of this machine.

    Raises:
        WeightsError: a detector's weights are missing or not the right ones.
        OutboxError: the outbox file cannot be used.
        StationRunning: another process runs this station.
    """
    folder = station_folder(settings, data)
    with (
        held(folder),
        contextlib.closing(Outbox(folder / "outbox.sqlite", settings.station.media_quota_bytes)) as outbox,
    ):
        wanted = {name for sensor in settings.sensors for name in sensor.detectors}
        detectors = {name: open_detector(name, settings, beside, data) for name in sorted(wanted)}
        sensors = [
            Sensor(
                options.name,
                _source(options, settings.station, outbox, beside, folder),
                looking=[detectors[name] for name in options.detectors if name in LOOKING],
                listening=[detectors[name] for name in options.detectors if name not in LOOKING],
                visit_gap_s=options.visit_gap_s,
                triggered=SilenceTrigger(options.silence_db),
                recordings=_recordings(options, outbox, folder),
            )
            for options in settings.sensors
        ]
        publisher = Publisher(settings.broker, settings.station.name, outbox, version("wildpost"))
        station = Station(settings.station, settings.broker.prefix, sensors, outbox, voice=settings.voice)
        yield station, publisher, outbox


def open_detector(name: str, settings: StationSettings, beside: Path, data: Path) -> Detector[Any, Any]:
    """Open a detector by its name in a sensor's ``detectors``.

    Raises:
        WeightsError: its weights are missing or not the right ones.
        ValueError: a setting names a class that it does not know.
    """
    if name == "vision":
        own = [beside / settings.vision.registry] if settings.vision.registry else []
        registry = load_registry(*own)
        weights = beside / settings.vision.weights if settings.vision.weights else data / "models"
        return open_vision(settings.vision.model, weights, settings.vision.options, registry)
    if name == "birdnet":
        cache = settings.birdnet.cache or str(data / "cache")
        return BirdNet(msgspec.structs.replace(settings.birdnet, cache=cache))
    own = [beside / settings.threat.registry] if settings.threat.registry else []
    return ThreatSounds(settings.threat, data / "models", settings.threat.model, load_registry(*own))


def recorders_zone(station: StationOptions) -> tzinfo:
    """Tell in which zone the clocks of cameras and recorders run."""
    zone = datetime.fromisoformat(f"2026-01-01T00:00:00{station.utc_offset}").tzinfo
    assert zone is not None  # noqa: S101, the offset has been checked
    return zone


def _source(options: SensorOptions, station: StationOptions, outbox: Outbox, beside: Path, folder: Path) -> Source:
    if options.source == "camera":
        return CameraSource(options.camera, _originals(options, outbox, folder))
    if options.source == "microphone":
        return MicrophoneSource(options.microphone, station.location)
    zone = recorders_zone(station)
    return FolderSource(beside / options.folder, outbox.mark_of, zone, station.location, options.stretch_s)


def _originals(options: SensorOptions, outbox: Outbox, folder: Path) -> Originals:
    def count(number: int) -> None:
        outbox.commit([], evicted_originals=number)

    return Originals(folder / options.name, options.originals_quota_bytes, count)


def _recordings(options: SensorOptions, outbox: Outbox, folder: Path) -> Recordings | None:
    if options.source != "microphone" or options.microphone.originals == "none":
        return None
    return Recordings(_originals(options, outbox, folder), options.microphone.originals)
