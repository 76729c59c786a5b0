"""A station that is built from settings says in its deployment record what the settings say."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from contract import DeployedSensor, Deployment, Location, decode, encode, topic_of
from wildpost.settings.station import load_station
from wildpost.station.assembly import deployment_of

AT = datetime(2026, 11, 28, tzinfo=UTC)
TOLD = """
[station]
name = "ridge-07"
deployment = "ridge-07-2026a"
latitude = 31.35
longitude = 117.20

[deployment]
location_name = "北岭二号垭口"
coordinate_uncertainty_m = 20
start = 2026-04-01T09:30:00+08:00
setup_by = "field team 2"
habitat = "oak forest"
bait_use = false
tags = ["ridge"]
evidence_use = "reviewed-and-announced"

[[sensors]]
name = "camera"
source = "folder"
folder = "camera"
detectors = ["vision"]
[sensors.mounting]
model = "Reconyx HF2X"
height_m = 0.6
tilt_deg = -5
heading_deg = 270

[[sensors]]
name = "card"
source = "folder"
folder = "card"
detectors = ["vision", "birdnet"]

[[sensors]]
name = "recorder"
source = "folder"
folder = "recorder"
detectors = ["threat"]

[[sensors]]
name = "microphone"
source = "microphone"
detectors = ["birdnet"]
"""


def record(folder: Path, text: str) -> Deployment:
    file = folder / "station.toml"
    file.write_text(text, encoding="utf-8")
    return deployment_of(load_station(file), AT)


def test_the_deployment_record_has_what_the_settings_say(tmp_path: Path) -> None:
    assert record(tmp_path, TOLD) == Deployment(
        station="ridge-07",
        deployment="ridge-07-2026a",
        at=AT,
        sensors=(
            DeployedSensor(
                name="camera", kind="camera", model="Reconyx HF2X", height_m=0.6, tilt_deg=-5, heading_deg=270
            ),
            DeployedSensor(name="card"),
            DeployedSensor(name="recorder", kind="microphone"),
            DeployedSensor(name="microphone", kind="microphone"),
        ),
        evidence_use="reviewed-and-announced",
        start=datetime(2026, 4, 1, 9, 30, tzinfo=timezone(timedelta(hours=8))),
        location=Location(latitude=31.35, longitude=117.2),
        coordinate_uncertainty_m=20,
        location_name="北岭二号垭口",
        setup_by="field team 2",
        habitat="oak forest",
        bait_use=False,
        tags=("ridge",),
    )


def test_without_a_table_of_its_own_a_deployment_is_a_lead_and_nothing_else_is_claimed(tmp_path: Path) -> None:
    sensors = '[[sensors]]\nname = "c"\nsource = "folder"\nfolder = "x"\ndetectors = ["vision"]\n'
    found = record(tmp_path, f'[station]\nname = "ridge-07"\ndeployment = "a"\n{sensors}')
    known = (DeployedSensor(name="c", kind="camera"),)
    assert found == Deployment(station="ridge-07", deployment="a", at=AT, sensors=known, evidence_use="lead")
    assert decode(topic_of("wildpost", "ridge-07", "deployment"), encode(found)) == found
