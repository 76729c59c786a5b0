"""What a running server and a running station have loaded: neither needs the other's libraries."""

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
import pytest

from captures.decoded import Sound
from captures.sound import encode_clip
from contract import encode, new_event_id, topic_of
from contract.examples import SOUND_EVENT
from tests.conftest import Mosquitto
from tests.eventually import eventually
from tests.flow.test_station_once import command as station_command
from tests.flow.test_station_once import lens_and_ear
from tests.media_messages import content_of, medium_of
from tests.servers.conftest import Publisher
from tests.servers.listeners import listening
from tests.servers.test_serve import health, page, serving

DETECTORS = {"models", "cv2", "openvino", "onnxruntime", "ai_edge_litert", "edge"}
SERVERS = {"duckdb", "sqlalchemy", "alembic", "fastapi", "influxdb_client", "apprise", "ingest", "review", "casebook"}
TRAINING = {"torch", "ultralytics", "librosa"}
AT_EXIT = """
import atexit, pathlib, sys
def write_names():
    pathlib.Path({path!r}).write_text("\\n".join({{name.partition(".")[0] for name in sys.modules}}))
atexit.register(write_names)
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let every Python process write the names of its top-level modules to a file when it ends."""
    names = tmp_path / "loaded.txt"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(AT_EXIT.format(path=str(names)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    return names


def test_a_server_that_shows_its_pages_has_loaded_no_detector(
    mosquitto: Mosquitto, tmp_path: Path, loaded: Path
) -> None:
    clip, kind = encode_clip(Sound(np.sin(np.arange(24_000) / 10).astype(np.float32), 24_000))
    content = content_of(clip, event_id=new_event_id(), station=SOUND_EVENT.station, type=kind, role="clip")
    event = msgspec.structs.replace(SOUND_EVENT, event_id=content.event_id, media=(medium_of(content),))
    data = tmp_path / "data"
    data.mkdir()
    with serving(data, mosquitto.port) as (process, url):
        publisher = Publisher(mosquitto.port)
        publisher.publish(
            [
                (topic_of("wildpost", event.station, "event"), encode(event)),
                (topic_of("wildpost", event.station, "media"), encode(content)),
            ]
        )
        publisher.close()
        eventually(lambda: health(url)["media"] == 1, "the clip is stored")
        for path in ("", "incidents", "stations", "trends", "quarantine", f"events/{event.event_id}"):
            assert "野哨" in page(url + path)
        with urllib.request.urlopen(
            f"{url}events/{event.event_id}/spectrogram-{content.sha256}.png", timeout=30
        ) as answer:
            assert answer.read(4) == b"\x89PNG"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    names = set(loaded.read_text().split())
    assert {"review", "ingest", "captures"} <= names, "the list is that of a server"
    assert names & (DETECTORS | TRAINING) == set()


def test_a_station_that_detects_has_loaded_nothing_of_the_server(
    mosquitto: Mosquitto, tmp_path: Path, shared_data: Path, loaded: Path
) -> None:
    sensors = lens_and_ear(tmp_path, shared_data)
    with listening(mosquitto.port, "wildpost/#"):
        command = station_command(tmp_path, mosquitto.port, *sensors)
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    names = set(loaded.read_text().split())
    assert {"edge", "models", "cv2"} <= names, "the list is that of a station"
    assert names & (SERVERS | TRAINING) == set()
