"""A station's settings file."""

import os
from pathlib import Path
from typing import Literal

import msgspec

from contract.deployment import SensorKind
from contract.messages import Name
from edge.capture.camera import CameraOptions
from edge.capture.microphone import MicrophoneOptions
from edge.deployment import DeploymentOptions, MountingOptions
from edge.station import StationOptions
from edge.transport.mqtt.publisher import StationBrokerOptions
from models.birdnet import BirdNetOptions
from models.species import SpeciesOptions
from models.threat import SHIPPED, ThreatOptions, VoiceOptions
from models.vision import VisionOptions
from wildpost.settings.loader import SettingsError, load_settings

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
        mounting: Its model and how it is mounted; sent to the server with the deployment.
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
    mounting: MountingOptions = MountingOptions()

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

    @property
    def kind(self) -> SensorKind | None:
        """Camera or microphone; None for a folder that takes both pictures and recordings."""
        if self.source != "folder":
            return self.source
        looking = {name in LOOKING for name in self.detectors}
        return None if len(looking) > 1 else "camera" if True in looking else "microphone"


class VisionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which network looks at pictures, and which one classifies the animals in them.

    Attributes:
        model: As `wildpost models list` has it.
        registry: A registry file of one's own that describes both models; relative to the settings file.
        weights: The folder that holds their weights; relative to the settings file; empty: models in the data folder.
        options: How to run the detector.
        classifier: The classifier, as `wildpost models list` has it; empty: animals are not classified.
        classifier_options: How to run the classifier.
        site_list: A CSV file of the species that are plausible here; relative to the settings file; empty: no limit.
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
    """Which network detects threat sounds, and how to run it.

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
    deployment: DeploymentOptions = DeploymentOptions()
    broker: StationBrokerOptions = StationBrokerOptions()
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
    broker = settings.broker
    if broker.username and not broker.password_file and broker.password_variable not in os.environ:
        raise SettingsError(
            f"{path} [broker]: username {broker.username!r} needs a password: expected it in the environment variable "
            f"{broker.password_variable}, which is not set, or in a password_file"
        )
    return settings
