"""Settings that the server sends come into force on the station, and go away by themselves if they break the camera."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from casebook.incidents.database import Database
from casebook.station_commands import StationCommand, StationCommands
from ingest.receive.mqtt.options import ReceiverOptions
from tests.conftest import Mosquitto
from tests.eventually import eventually
from wildpost.cli.main import main
from wildpost.command_keys import create_keys
from wildpost.server.assembly import RunningServer, run_server
from wildpost.settings.server import CommandOptions, ServerSettings
from wildpost.settings.station import load_station
from wildpost.station.run_control import RunControl
from wildpost.station.running import started

TRIAL_S = 15.0  # the camera must have looked before it ends, also on a busy machine


def write_still_film(path: Path) -> None:
    """A film in which nothing moves: a camera that works, and no detector has anything to do."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for _ in range(50):
        writer.write(np.full((120, 160, 3), 90, np.uint8))
    writer.release()


@contextmanager
def running_station(settings: Path, data: Path) -> Iterator[list[str]]:
    """Run a station as `wildpost station run` does; yield the device of the camera in each of its runs."""
    control, devices = RunControl(), []

    def run() -> None:
        while True:
            with started(load_station(settings), settings.parent, data, control.restart, TRIAL_S) as built:
                assert built.control is not None
                values = json.loads(built.control.settings_values)
                devices.append(values["sensors"]["camera"]["camera"].get("device", "film"))
                built.publisher.start()
                built.control.start()
                built.station.run(control.stop, False, data)
                built.control.stop()
                built.publisher.stop()
            if not control.next_run():
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield devices
    finally:
        control.end()
        thread.join(60)


@pytest.fixture
def settings(mosquitto: Mosquitto, tmp_path: Path) -> Path:
    write_still_film(tmp_path / "still.avi")
    root = create_keys(tmp_path / "keys", 10)
    path = tmp_path / "station.toml"
    path.write_text(
        f'[station]\nname = "ridge-07"\ndeployment = "a"\n[broker]\nport = {mosquitto.port}\nreconnect_max_s = 1\n'
        f'[remote]\nroot_key = "{root}"\n[[sensors]]\nname = "camera"\nsource = "camera"\ndetectors = ["vision"]\n'
        f'[sensors.camera]\ndevice = "{tmp_path}/still.avi"\nmotion_share = 0.2\n'
    )
    return path


@pytest.fixture
def server(mosquitto: Mosquitto, settings: Path, tmp_path: Path) -> Iterator[RunningServer]:
    options = ServerSettings(
        broker=ReceiverOptions(port=mosquitto.port),
        commands=CommandOptions(signing_key=str(tmp_path / "keys" / "commands-signing.json")),
    )
    (tmp_path / "server").mkdir()
    with run_server(options, tmp_path / "server", tmp_path) as running:
        yield running


def told(server: RunningServer, folder: Path, *words: str) -> StationCommand:
    """Change settings by the command, and wait until they are decided."""
    data = ["--data", str(folder / "server")]
    main(["command", "ridge-07", "settings", *words, "--as", "a", "--wait", "180", *data])
    return StationCommands(Database(server.casebook.engine)).latest()[0]


def test_settings_come_into_force_and_those_that_break_the_camera_go_away(
    settings: Path, server: RunningServer, tmp_path: Path
) -> None:
    commands = StationCommands(Database(server.casebook.engine))
    with running_station(settings, tmp_path / "station") as devices:
        eventually(lambda: "ridge-07" in commands.reported(), "the station reports its settings")
        assert commands.reported()["ridge-07"].state == "reported"

        good = told(server, tmp_path, "--set", "sensors.camera.camera.motion_share=0.1")
        assert (good.state, good.detail) == ("done", "")
        reported = commands.reported()["ridge-07"]
        assert json.loads(reported.settings)["sensors"]["camera"]["camera"]["motion_share"] == 0.1
        assert reported.serial == good.serial

        bad = told(server, tmp_path, "--set", "sensors.camera.camera.device=63")
        assert bad.state == "rolled-back" and "sensor camera no longer works" in bad.detail
        assert json.loads(bad.payload)["sensors"]["camera"]["camera"] == {"device": "63", "motion_share": 0.1}
        reported = commands.reported()["ridge-07"]
        assert json.loads(reported.settings)["sensors"]["camera"]["camera"]["motion_share"] == 0.1
        assert devices == ["film", "film", "63", "film"]
    with running_station(settings, tmp_path / "station") as devices:  # a new process: what was in force still is
        eventually(lambda: len(devices) == 1, "the station starts")
        eventually(lambda: commands.reported()["ridge-07"].state == "reported", "it reports")
        assert commands.reported()["ridge-07"].serial == good.serial


def test_the_command_refuses_what_cannot_be_changed(
    settings: Path, server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "server")]
    for words, said in (
        (["--set", "broker.host=thief.example"], "expected a number, or a text in double quotes"),
        (["--set", 'broker.host="thief.example"'], "unknown field `broker`"),
        (["--set", "station.health_s=1"], "Expected `float` >= 30"),
        (["--set", "station.health_s"], "expected KEY=VALUE"),
        (["--unset", "station.health_s"], "expected one of none"),
        ([], "expected --set KEY=VALUE or --unset KEY with settings"),
    ):
        assert main(["command", "ridge-07", "settings", *words, *data]) == 1
        assert said in capsys.readouterr().err
    assert StationCommands(Database(server.casebook.engine)).latest() == []
