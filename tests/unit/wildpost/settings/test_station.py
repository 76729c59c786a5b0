"""The example of a station's settings is true, every key is described, and mistakes are named with their place."""

from pathlib import Path

import pytest

from edge.capture.camera import CameraOptions
from edge.capture.microphone import MicrophoneOptions
from edge.deployment import DeploymentOptions, MountingOptions
from edge.link_budget import LinkOptions
from edge.remote.options import RemoteOptions
from edge.station import StationOptions
from edge.transport.mqtt.publisher import StationBrokerOptions
from models.species import SpeciesOptions
from models.threat import VoiceOptions
from tests.repository import REPOSITORY
from wildpost.settings.loader import SettingsError
from wildpost.settings.station import SensorOptions, StationSettings, ThreatSettings, VisionSettings, load_station

EXAMPLE = REPOSITORY / "configs" / "station.toml"


def test_the_example_loads() -> None:
    settings = load_station(EXAMPLE)
    assert [sensor.name for sensor in settings.sensors] == ["camera", "microphone"]


def test_every_line_that_is_commented_out_is_a_setting(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        shown = line.removeprefix("# ")
        taken_up = line.startswith("# ") and (" = " in shown or shown.startswith("["))
        lines.append(shown if taken_up and "username" not in line else line)
    whole = tmp_path / "station.toml"
    whole.write_text("\n".join(lines), encoding="utf-8")
    assert [sensor.source for sensor in load_station(whole).sensors] == ["folder", "microphone", "camera"]


def test_every_setting_is_described() -> None:
    page = (REPOSITORY / "docs" / "reference" / "station.md").read_text(encoding="utf-8")
    kinds = (
        StationOptions,
        StationBrokerOptions,
        SensorOptions,
        CameraOptions,
        MicrophoneOptions,
        DeploymentOptions,
        MountingOptions,
        VisionSettings,
        SpeciesOptions,
        VoiceOptions,
        RemoteOptions,
        LinkOptions,
        StationSettings,
    )
    missing = {name for kind in kinds for name in kind.__struct_fields__ if f"`{name}`" not in page}
    tables = {"station", "sensors", "broker", "vision", "birdnet", "threat", "voice", "deployment", "remote", "links"}
    assert missing <= tables, "these are tables and have a row of their own"


def test_every_setting_of_the_threat_detector_is_described() -> None:
    page = (REPOSITORY / "docs" / "reference" / "threat.md").read_text(encoding="utf-8")
    assert [name for name in ThreatSettings.__struct_fields__ if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('[station]\nname = "a"\ndeployment = "a"\ncolour = 1\n', "colour"),
        ('[station]\nname = "a b"\ndeployment = "a"\n', "name"),
        ('[station]\nname = "a"\ndeployment = "a"\nlatitude = 31.0\n', "longitude"),
        ('[station]\nname = "a"\ndeployment = "a"\n[broker]\nport = 99999\n', "port"),
        ("[station\n", "station.toml"),
        ('[station]\nname = "a"\ndeployment = "a"\n[threat]\nlabels = ["cannon"]\n', "cannon"),
        ('[station]\nname = "a"\ndeployment = "a"\n[deployment]\nevidence_use = "proof"\n', "deployment.evidence_use"),
        ('[station]\nname = "a"\ndeployment = "a"\n[deployment]\nstart = 2026-04-01T09:30:00\n', "deployment.start"),
        (
            '[station]\nname = "a"\ndeployment = "a"\n'
            "[deployment]\nstart = 2026-04-01T00:00:00Z\nend = 2026-03-01T00:00:00Z\n",
            "before its start",
        ),
        (
            '[station]\nname = "a"\ndeployment = "a"\n[vision]\nsite_list = "here.csv"\n',
            "expected its name in 'classifier'",
        ),
        ('[station]\nname = "a"\ndeployment = "a"\n[voice]\npolicy = "listen"\n', "listen"),
    ],
)
def test_a_mistake_is_named(line: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text('sensors = [{ name = "c", source = "folder", folder = "x", detectors = ["vision"] }]\n' + line)
    with pytest.raises(SettingsError, match=named):
        load_station(file)


def test_a_username_without_its_password_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WILDPOST_BROKER_PASSWORD", raising=False)
    file = tmp_path / "station.toml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace("[broker]\n", '[broker]\nusername = "ridge-07"\n'))
    with pytest.raises(SettingsError, match="WILDPOST_BROKER_PASSWORD"):
        load_station(file)
