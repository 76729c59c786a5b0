"""`wildpost station run --once` ends when a sensor is not there, names it, and sends what the others had."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Mosquitto
from tests.servers.listeners import listening

THREAT = 'detectors = ["threat"]\n'


def command(folder: Path, port: int, *sensors: str) -> list[str]:
    settings = folder / "station.toml"
    settings.write_text(
        f'[station]\nname = "lake-07"\ndeployment = "a"\n[broker]\nport = {port}\n'
        + "".join(f"[[sensors]]\n{sensor}" for sensor in sensors)
    )
    running = [sys.executable, "-m", "wildpost", "station", "run", str(settings), "--once", "--json"]
    return [*running, "--data", str(folder / "data")]


def run(folder: Path, port: int, *sensors: str) -> subprocess.CompletedProcess[str]:
    with listening(port, "wildpost/#"):  # what nobody listens for, a station keeps
        return subprocess.run(command(folder, port, *sensors), capture_output=True, text=True, check=False, timeout=60)


def lens_and_ear(folder: Path, shared_data: Path) -> list[str]:
    """Put a real picture and a real recording into a folder; return the settings of two sensors that read them."""
    for part, name in (("pictures", "owl.JPG"), ("recordings", "rain.ogg")):
        (folder / part).mkdir()
        shutil.copy(shared_data / "samples" / part / name, folder / part)
    return [
        'name = "lens"\nsource = "folder"\nfolder = "pictures"\ndetectors = ["vision"]\n',
        'name = "ear"\nsource = "folder"\nfolder = "recordings"\ndetectors = ["birdnet", "threat"]\n',
    ]


@pytest.fixture
def recordings(shared_data: Path, tmp_path: Path) -> str:
    (tmp_path / "in").mkdir()
    name = "rain.ogg"
    (tmp_path / "in" / name).write_bytes((shared_data / "samples" / "recordings" / name).read_bytes())
    return 'name = "ear"\nsource = "folder"\nfolder = "in"\n' + THREAT


def test_a_folder_that_is_not_there_is_named_before_anything_is_begun(
    recordings: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ended = run(tmp_path, mosquitto.port, recordings, 'name = "card"\nsource = "folder"\nfolder = "card"\n' + THREAT)
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        f"wildpost: sensor 'card': no such folder: {tmp_path}/card; mount it, or correct 'folder' in the settings"
    )
    assert not (tmp_path / "data" / "stations").exists()


def test_a_camera_that_is_not_there_is_given_up_and_the_rest_is_sent(
    recordings: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    camera = 'name = "lens"\nsource = "camera"\ndetectors = ["vision"]\n[sensors.camera]\ndevice = "unplugged.avi"\n'
    ended = run(tmp_path, mosquitto.port, recordings, camera)
    assert ended.returncode == 2, ended.stderr
    report = json.loads(ended.stdout.strip().splitlines()[-1])
    assert (report["events_sent"], list(report["given_up"])) == (1, ["lens"])
    assert "sensor 'lens' failed for good: camera unplugged.avi: cannot be opened" in ended.stderr


def test_nothing_missing_ends_well(recordings: str, mosquitto: Mosquitto, tmp_path: Path) -> None:
    ended = run(tmp_path, mosquitto.port, recordings)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.strip().splitlines()[-1])["given_up"] == {}


def test_who_waits_for_a_server_that_is_not_there_is_told_and_can_end_it(
    recordings: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(tmp_path, mosquitto.port, recordings), stdout=pipe, stderr=pipe, text=True
    ) as waiting:
        assert waiting.stdout
        assert waiting.stderr
        said = next(line for line in waiting.stderr if "Ctrl-C stops waiting" in line)
        waiting.send_signal(signal.SIGINT)
        _, rest = waiting.communicate(timeout=20)
    assert waiting.returncode == 1, rest
    assert "waiting up to one hour to send " in said, said
    assert " messages: no server subscribes at 127.0.0.1" in said, said
    assert "messages are left in the outbox: no server subscribes" in rest
    again = run(tmp_path, mosquitto.port, recordings)
    assert again.returncode == 0, again.stderr
