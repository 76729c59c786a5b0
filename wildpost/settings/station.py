"""Structs for the settings file of a station, and the function that loads the file."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from captures.time_zones import zone_named
from contract.bounds import Name
from contract.deployment import SensorKind
from edge.capture.camera import CameraOptions
from edge.capture.microphone import MicrophoneOptions
from edge.deployment import DeploymentOptions, MountingOptions
from edge.link_budget import LinkOptions
from edge.remote.options import RemoteOptions
from edge.station import StationOptions
from edge.transport.mqtt.publisher import StationBrokerOptions
from models.birdnet import BirdNetOptions
from models.species import SpeciesOptions
from models.threat import SHIPPED, ThreatOptions, VoiceOptions
from models.vision import VisionOptions
from wildpost.settings.loader import SettingsError, load_settings

LOOKING = frozenset({"vision"})  # detectors of pictures; all others are for sound


class SensorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one sensor: the source of its captures and its detectors.

    Attributes:
        name: Unique on the station.
        source: Kind of source; the attribute of the same name configures it.
        detectors: "vision" for pictures, "birdnet" and "threat" for sound.
        folder: Folder to watch, for source "folder"; relative to the settings file.
        time_zone: Zone of the clock that wrote the files in the folder: an IANA name such as "Europe/Berlin", or an
            offset such as "+08:00"; "": the station's.
        camera: Options for source "camera".
        microphone: Options for source "microphone".
        visit_gap_s: Longest pause within a visit, in seconds.
        stretch_s: Length of the segments that a longer recording in the folder is split into, in seconds.
        silence_db: Level below which sound is not analysed, in decibels relative to full scale.
        originals_quota_bytes: Disk quota of a camera's pictures or a microphone's recordings; the oldest are deleted
            first.
        mounting: Model of the device and how it is mounted; sent to the server with the deployment.
    """

    name: Name
    source: Literal["folder", "camera", "microphone"]
    detectors: tuple[Literal["vision", "birdnet", "threat"], ...]
    folder: str = ""
    time_zone: Annotated[str, msgspec.Meta(max_length=100)] = ""
    camera: CameraOptions = CameraOptions()
    microphone: MicrophoneOptions = MicrophoneOptions()
    visit_gap_s: float = 60.0
    stretch_s: float = 60.0
    silence_db: float = -90.0
    originals_quota_bytes: int = 8_000_000_000
    mounting: MountingOptions = MountingOptions()

    def __post_init__(self) -> None:
        if self.source == "folder" and not self.folder:
            raise ValueError(f"sensor {self.name!r} has source 'folder': expected a path in 'folder'")
        if self.time_zone:
            zone_named(self.time_zone)  # raises for an unknown zone
        if not self.detectors:
            raise ValueError(
                f"sensor {self.name!r}: expected at least one of 'vision', 'birdnet', 'threat' in 'detectors'"
            )
        useful = {"camera": bool(LOOKING & set(self.detectors)), "microphone": bool(set(self.detectors) - LOOKING)}
        if not useful.get(self.source, True):
            raise ValueError(f"sensor {self.name!r}: no detector of {list(self.detectors)} can use a {self.source}")

    @property
    def kind(self) -> SensorKind | None:
        """Kind of the sensor, camera or microphone; None for a folder that takes both pictures and recordings."""
        if self.source != "folder":
            return self.source
        looking = {name in LOOKING for name in self.detectors}
        return None if len(looking) > 1 else "camera" if True in looking else "microphone"


class VisionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the networks that detect objects in pictures and classify the detected animals.

    Attributes:
        model: Model name from `wildpost models list`.
        registry: Additional registry file that describes both models; relative to the settings file.
        weights: Folder of their weights; relative to the settings file; "": models in the data folder.
        options: Options of the detector.
        classifier: Name of the classifier from `wildpost models list`; "": animals are not classified.
        classifier_options: Options of the classifier.
        site_list: CSV file of the species that are plausible here; relative to the settings file; "": no limit.
    """

    model: str = "wildpost-nano"
    registry: str = ""
    weights: str = ""
    options: VisionOptions = VisionOptions()
    classifier: str = ""
    classifier_options: SpeciesOptions = SpeciesOptions()
    site_list: str = ""

    def __post_init__(self) -> None:
        if self.site_list and not self.classifier:
            raise ValueError(f"site_list {self.site_list!r} limits a classifier: expected its name in 'classifier'")


class ThreatSettings(ThreatOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the network for threat sounds.

    Attributes:
        model: Model name from `wildpost models list`.
        registry: Additional registry file that describes the model; relative to the settings file.
    """

    model: str = SHIPPED
    registry: str = ""


class StationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a station; configs/station.toml is a commented example."""

    station: StationOptions
    sensors: tuple[SensorOptions, ...]
    deployment: DeploymentOptions = DeploymentOptions()
    broker: StationBrokerOptions = StationBrokerOptions()
    vision: VisionSettings = VisionSettings()
    birdnet: BirdNetOptions = BirdNetOptions()
    threat: ThreatSettings = ThreatSettings()
    voice: VoiceOptions = VoiceOptions()
    remote: RemoteOptions = RemoteOptions()
    links: LinkOptions = LinkOptions()

    def __post_init__(self) -> None:
        names = [sensor.name for sensor in self.sensors]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"sensors {names}: expected at least one, each with a unique name")


def load_station(path: Path) -> StationSettings:
    """Load and check the settings file of a station.

    Raises:
        SettingsError: the file is not valid; the message names the key.
    """
    settings = load_settings(path, StationSettings)
    broker = settings.broker
    if broker.username and not broker.password_file and broker.password_variable not in os.environ:
        raise SettingsError(
            f"{path} [broker]: username {broker.username!r} needs a password: expected it in the environment variable "
            f"{broker.password_variable}, which is not set, or in a password_file"
        )
    return settings
