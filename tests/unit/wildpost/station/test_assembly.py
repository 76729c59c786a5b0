"""A station has the classifier that its settings name, and its deployment record says what they say."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from contract import DeployedSensor, Deployment, Location, decode, encode, topic_of
from tests.species_network import colour_network, registry_of
from wildpost.settings.station import VisionSettings, load_station
from wildpost.station.assembly import deployment_of, open_station_classifier, recorder_zone
from wildpost.station.diagnostics import diagnose_station

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


WITH_CLASSIFIER = """
[station]
name = "ridge-07"
deployment = "a"

[broker]
host = "127.0.0.1"
port = 1

[[sensors]]
name = "camera"
source = "folder"
folder = "."
detectors = ["vision"]

[vision]
registry = "colours.toml"
classifier = "colours"
"""


def classifier_file(folder: Path, vision: str = "") -> Path:
    labels = [("first", "Primus primus"), ("second", ""), ("third", "")]
    registry_of(folder, "colours", colour_network(folder / "colours.onnx"), labels, output="logits")
    (folder / "here.csv").write_text("taxon,months,area\nPrimus primus,,\n", encoding="utf-8")
    file = folder / "station.toml"
    file.write_text(WITH_CLASSIFIER + vision, encoding="utf-8")
    return file


def test_the_station_s_classifier_is_the_one_that_its_settings_name(tmp_path: Path) -> None:
    for vision, name in (("", "colours"), ('site_list = "here.csv"\n', "colours+here")):
        settings = load_station(classifier_file(tmp_path, vision))
        opened = open_station_classifier(settings, tmp_path, tmp_path)
        assert opened is not None and opened.model.name == name
    settings = load_station(classifier_file(tmp_path))
    shipped = open_station_classifier(msgspec.structs.replace(settings, vision=VisionSettings()), tmp_path, tmp_path)
    assert shipped is not None and shipped.model.name == "wildpost-species", "unless they name another one"
    off = msgspec.structs.replace(settings, vision=VisionSettings(classifier=""))
    assert open_station_classifier(off, tmp_path, tmp_path) is None


def test_station_check_tries_the_classifier(tmp_path: Path) -> None:
    file = classifier_file(tmp_path)
    found = {finding.what: finding for finding in diagnose_station(file, tmp_path)}
    assert found["classifier"].state == "works"
    assert found["classifier"].figures["model"] == "colours"
    (tmp_path / "colours.onnx").unlink()
    found = {finding.what: finding for finding in diagnose_station(file, tmp_path)}
    assert found["classifier"].state == "fails"
    assert "wildpost models pull colours" in found["classifier"].next_step


def test_each_sensor_reads_times_in_its_zone(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text(
        TOLD.replace("longitude = 117.20", 'longitude = 117.20\ntime_zone = "Europe/Berlin"').replace(
            'folder = "card"', 'folder = "card"\ntime_zone = "+10:00"'
        )
    )
    settings = load_station(tmp_path / "station.toml")
    zones = [recorder_zone(sensor, settings.station) for sensor in settings.sensors]
    berlin = ZoneInfo("Europe/Berlin")
    assert zones == [berlin, timezone(timedelta(hours=10)), berlin, berlin]
    offset_only = msgspec.structs.replace(settings.station, time_zone="", utc_offset="-03:30")
    assert offset_only.recorders_zone == timezone(-timedelta(hours=3, minutes=30))
