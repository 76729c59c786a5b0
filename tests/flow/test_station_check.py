"""`wildpost station check` against real brokers, with and without rights, certificates of all ages, an ALSA device."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as mqtt
import pytest

from contract import topic_of
from contract.mqtt import stop_network_thread
from contract.topics import KINDS
from edge.check import Finding
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt import diagnostics as broker
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from models.download import install
from models.registry import load_registry
from tests.conftest import Mosquitto, free_port, missing
from wildpost.broker.certificates import Pair, make_authority, make_broker_certificate
from wildpost.broker.dynamic_security import hashed

Started = Callable[[str], Mosquitto]
TODAY = datetime.now(UTC)


def check(port: int, **options: Any) -> dict[str, Finding]:
    found = list(broker.check(StationBrokerOptions(port=port, **options), "lake-07"))
    return {finding.what: finding for finding in found}


@contextmanager
def listener(port: int) -> Iterator[None]:
    """Somebody who has subscribed, as a server has."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)  # type: ignore[attr-defined]
    client.connect("127.0.0.1", port)
    ready: list[int] = []
    client.on_subscribe = lambda *told: ready.append(told[2])
    client.loop_start()
    client.subscribe("wildpost/#", qos=1)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while not ready and datetime.now(UTC) < deadline:
        pass
    assert ready
    yield
    client.disconnect()
    stop_network_thread(client)


def test_an_open_broker_with_a_server_works(mosquitto: Mosquitto) -> None:
    with listener(mosquitto.port):
        found = check(mosquitto.port)
    assert {what: finding.state for what, finding in found.items()} == dict.fromkeys(
        ["broker", "encryption", "credentials", "rights", "delivery"], "works"
    )
    assert found["delivery"].figures["server_listens"] is True
    assert isinstance(found["delivery"].figures["round_trip_ms"], float)


def test_that_nobody_listens_is_noticed(mosquitto: Mosquitto) -> None:
    delivery = check(mosquitto.port)["delivery"]
    assert (delivery.state, delivery.figures["server_listens"]) == ("doubtful", False)


@pytest.mark.parametrize("refused", [("media",), ("event", "health"), KINDS])
def test_each_topic_that_is_forbidden_is_named_and_no_other(
    refused: tuple[str, ...], mosquitto_with: Started, tmp_path: Path
) -> None:
    rights = tmp_path / "rights"
    allowed = [topic_of("wildpost", "lake-07", kind) for kind in KINDS if kind not in refused]
    rights.write_text("".join(f"topic write {topic}\n" for topic in allowed))
    rights.chmod(0o700)
    started = mosquitto_with(f"allow_anonymous true\nacl_file {rights}\n")
    found = check(started.port)
    assert found["credentials"].state == "works"
    assert found["rights"].state == "fails"
    assert {kind for kind in KINDS if found["rights"].figures[kind] == "Not authorized"} == set(refused)
    assert {kind for kind in KINDS if found["rights"].figures[kind] == "allowed"} == set(KINDS) - set(refused)
    assert ("delivery" in found) == bool(allowed)


def test_what_a_broker_of_mqtt_3_1_1_does_not_tell_is_not_claimed(mosquitto_with: Started, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic read #\n")
    rights.chmod(0o700)
    started = mosquitto_with(f"allow_anonymous true\nacl_file {rights}\n")
    found = check(started.port, protocol="3.1.1")
    assert found["rights"].state == "doubtful"
    assert found["delivery"].figures["server_listens"] is None


def test_a_wrong_password_is_refused_and_the_right_one_let_in(
    mosquitto_with: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = hashed("right")
    (tmp_path / "passwords").write_text(f"lake-07:$7${stored.rounds}${stored.salt}${stored.hash}\n")
    (tmp_path / "passwords").chmod(0o700)
    started = mosquitto_with(f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
    for password, state in (("right", "works"), ("wrong", "fails")):
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", password)
        found = check(started.port, username="lake-07")
        assert found["credentials"].state == state
    assert "rotate FOLDER lake-07" in found["credentials"].next_step
    assert "rights" not in found
    assert check(started.port)["credentials"].state == "fails", "nor is somebody without a name let in"


def test_a_broker_that_takes_only_small_messages_is_to_be_looked_at(mosquitto_with: Started) -> None:
    found = check(mosquitto_with("allow_anonymous true\nmax_packet_size 20000\n").port)
    assert (found["credentials"].state, found["credentials"].figures["largest_message_bytes"]) == ("doubtful", 20000)


def secured(started: Started, folder: Path, authority: Pair, pair: Pair) -> tuple[int, str]:
    for name, content in (("ca.crt", authority.certificate), ("b.crt", pair.certificate), ("b.key", pair.key)):
        (folder / name).write_bytes(content)
    port = free_port()
    started(f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {folder}/b.crt\nkeyfile {folder}/b.key\n")
    return port, str(folder / "ca.crt")


@pytest.mark.parametrize(
    ("made", "host", "state", "said"),
    [
        (TODAY, "127.0.0.1", "works", ""),
        (TODAY - timedelta(days=5 * 365 - 10), "127.0.0.1", "doubtful", "renew"),
        (TODAY - timedelta(days=5 * 365 + 10), "127.0.0.1", "fails", "renew"),
        (TODAY + timedelta(days=10), "127.0.0.1", "fails", "clock"),
        (TODAY, "another.reserve.example", "fails", "renew --host"),
    ],
)
def test_a_certificate_is_told_with_its_time_and_name(
    made: datetime, host: str, state: str, said: str, mosquitto_with: Started, tmp_path: Path
) -> None:
    authority = make_authority("reserve", TODAY - timedelta(days=6 * 365))
    port, file = secured(mosquitto_with, tmp_path, authority, make_broker_certificate(authority, [host], made))
    encryption = check(port, tls=True, ca_file=file)["encryption"]
    assert encryption.state == state
    assert said in encryption.next_step
    if state != "fails":
        until = datetime.fromisoformat(str(encryption.figures["good_until"]))
        assert abs(until - (made + timedelta(days=5 * 365 - 1))) < timedelta(minutes=1)


def test_a_broker_of_another_authority_is_not_trusted(mosquitto_with: Started, tmp_path: Path) -> None:
    authority = make_authority("reserve")
    port, _ = secured(mosquitto_with, tmp_path, authority, make_broker_certificate(authority, ["127.0.0.1"]))
    other = tmp_path / "other.crt"
    other.write_bytes(make_authority("somebody").certificate)
    found = check(port, tls=True, ca_file=str(other))
    assert (found["encryption"].state, "credentials" in found) == ("fails", False)
    assert "ca.crt" in found["encryption"].next_step
    missing_file = check(port, tls=True, ca_file=str(tmp_path / "gone.crt"))["encryption"]
    assert missing_file.state == "fails"
    assert "gone.crt" in missing_file.found


def test_encryption_on_one_side_alone_is_named(mosquitto_with: Started, tmp_path: Path) -> None:
    authority = make_authority("reserve")
    port, file = secured(mosquitto_with, tmp_path, authority, make_broker_certificate(authority, ["127.0.0.1"]))
    assert "tls = true" in check(port)["credentials"].next_step
    plain = mosquitto_with("allow_anonymous true\n")
    assert "1883" in check(plain.port, tls=True, ca_file=file)["encryption"].next_step


def test_a_broker_that_is_not_there_is_named() -> None:
    port = free_port()
    refused = check(port)
    assert list(refused) == ["broker"]
    assert f"127.0.0.1:{port}" in refused["broker"].found
    unknown = check(port, host="no-such-broker.invalid")
    assert "not known" in unknown["broker"].found


def test_a_station_that_runs_meanwhile_is_not_put_out(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with listener(mosquitto.port), closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        publisher = Publisher(StationBrokerOptions(port=mosquitto.port), "lake-07", outbox)
        publisher.start()
        outbox.commit([OutboxMessage(topic_of("wildpost", "lake-07", "event"), b"1")])
        assert publisher.drain(20)
        assert check(mosquitto.port)["credentials"].state == "works"
        assert publisher.connected
        outbox.commit([OutboxMessage(topic_of("wildpost", "lake-07", "event"), b"2")])
        assert publisher.drain(20)
        assert publisher.problem == ""
        publisher.stop()


class Site:
    """A station with a folder, a camera, a microphone that plays a file, and all detectors."""

    def __init__(self, folder: Path, shared_data: Path, port: int) -> None:
        self.folder = folder
        self.settings = folder / "station.toml"
        (folder / "card").mkdir()
        picture = shared_data / "samples" / "pictures" / "B012_2021-05-27_human.jpg"
        (folder / "card" / picture.name).write_bytes(picture.read_bytes())
        self._film(folder / "film.avi")
        registry = load_registry()
        weights = shared_data / "weights" / "yolox_nano_416_coco.onnx"
        install(registry["yolox-nano"], weights, folder / "data" / "models")
        self.settings.write_text(
            '[station]\nname = "lake-07"\ndeployment = "a"\nlatitude = 31.3\nlongitude = 117.2\n'
            "media_quota_bytes = 1000\n"
            f"[broker]\nport = {port}\n"
            '[[sensors]]\nname = "card"\nsource = "folder"\nfolder = "card"\ndetectors = ["vision"]\n'
            '[[sensors]]\nname = "lens"\nsource = "camera"\noriginals_quota_bytes = 1000\ndetectors = ["vision"]\n'
            f'[sensors.camera]\ndevice = "{folder}/film.avi"\n'
            '[[sensors]]\nname = "ear"\nsource = "microphone"\ndetectors = ["birdnet", "threat"]\n'
            '[sensors.microphone]\ndevice = "played"\n'
            '[vision]\nmodel = "yolox-nano"\n'
            '[birdnet]\nruntime = "litert"\n'  # else each test would measure which runtime is faster
        )
        (folder / "asound.conf").write_text(
            "</usr/share/alsa/alsa.conf>\n"
            f'pcm.played {{ type file slave.pcm "null" file "/dev/null" infile "{folder}/heard.raw" format "raw" }}\n'
        )

    def _film(self, path: Path) -> None:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
        random = np.random.default_rng(1)
        for _ in range(12):
            writer.write(random.integers(0, 255, (240, 320, 3), np.uint8))
        writer.release()

    def hear(self, loudness: float) -> None:
        sine = np.sin(np.arange(48_000 * 5) / 10) * loudness
        np.clip(sine, -1, 1).astype("<f4").tofile(self.folder / "heard.raw")

    def check(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wildpost", "station", "check", str(self.settings), *words]
        environment = {
            **os.environ,
            "ALSA_CONFIG_PATH": str(self.folder / "asound.conf"),
            "WILDPOST_DATA": str(self.folder / "data"),
        }
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def findings(self) -> tuple[int, dict[str, dict[str, Any]]]:
        ended = self.check("--json")
        report = json.loads(ended.stdout)
        assert report["works"] == (ended.returncode == 0), ended.stderr
        return ended.returncode, {finding["what"]: finding for finding in report["findings"]}


@pytest.fixture
def site(tmp_path: Path, shared_data: Path, mosquitto: Mosquitto) -> Site:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        missing("PortAudio is not installed (Debian: apt-get install libportaudio2)")
    return Site(tmp_path, shared_data, mosquitto.port)


def test_a_whole_station_that_works(site: Site) -> None:
    site.hear(0.1)
    code, found = site.findings()
    assert code == 0, found
    states = {what: finding["state"] for what, finding in found.items() if what not in ("clock", "temperature")}
    assert states == {
        "settings": "works",
        "disk": "works",
        "outbox": "works",
        "sensor card": "works",
        "sensor lens": "works",
        "sensor ear": "works",
        "detector birdnet": "works",
        "detector threat": "works",
        "detector vision": "works",
        "classifier": "works",
        "broker": "works",
        "encryption": "works",
        "credentials": "works",
        "rights": "works",
        "delivery": "doubtful",
    }
    assert found["sensor ear"]["figures"]["mean_dbfs"] == pytest.approx(-23, abs=0.5)
    for detector in ("birdnet", "threat", "vision"):
        figures = found[f"detector {detector}"]["figures"]
        assert figures["inference_ms"] > 0
        assert len(figures["sha256"]) == 64


@pytest.mark.parametrize(("loudness", "state", "said"), [(0.0, "fails", "silent"), (3.0, "doubtful", "clipping")])
def test_a_silent_or_clipping_microphone_is_named(loudness: float, state: str, said: str, site: Site) -> None:
    site.hear(loudness)
    code, found = site.findings()
    assert (code, found["sensor ear"]["state"]) == (int(state == "fails"), state)
    assert said in found["sensor ear"]["found"]


def test_everything_that_is_broken_is_named_with_what_to_do(site: Site) -> None:
    site.hear(0.1)
    (site.folder / "film.avi").unlink()
    (site.folder / "card").rename(site.folder / "elsewhere")
    weights = site.folder / "data" / "models" / "yolox_nano.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    text = site.settings.read_text().replace('device = "played"', 'device = "no such microphone"')
    text = text.replace("port = ", f"port = {free_port()} # ")
    site.settings.write_text(f"{text}[threat]\nsecond_opinion = true\n")
    ended = site.check()
    assert ended.returncode == 1
    shown = " ".join(ended.stdout.split())
    for what in ("sensor card", "sensor lens", "sensor ear", "detector threat", "detector vision", "broker"):
        assert f"fails {what}:" in shown
    for step in ("mount the card", "ls -l /dev/video*", "inputs: played", "remove that file", "start Mosquitto"):
        assert step in shown
    assert "wildpost models pull yamnet; without network" in shown
    assert shown.endswith("do not work")


def test_settings_that_are_wrong_are_the_only_thing_it_speaks_of(site: Site) -> None:
    site.settings.write_text(site.settings.read_text().replace("deployment", "deplyment"))
    code, found = site.findings()
    assert (code, list(found)) == (1, ["settings"])
    assert "deplyment" in found["settings"]["found"] or "deployment" in found["settings"]["found"]
