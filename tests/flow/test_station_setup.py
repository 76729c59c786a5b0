"""From the broker's handover to an acknowledged finding: init, check and run, as a technician types them."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contract import subscription
from contract.mqtt import stop_network_thread
from contract.server_users import ACCOUNT
from tests.conftest import Mosquitto, free_port
from wildpost.broker.configuration import Listeners
from wildpost.broker.folder import BrokerFolder

Started = Callable[[str], Mosquitto]


def wildpost(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wildpost", *map(str, words)]
    environment = {name: value for name, value in os.environ.items() if name != "WILDPOST_BROKER_PASSWORD"}
    environment |= {"WILDPOST_DATA": str(folder / "data")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


@pytest.fixture
def broker(tmp_path: Path) -> BrokerFolder:
    folder = BrokerFolder(tmp_path / "broker", listeners=Listeners(free_port(), free_port()))
    folder.create(["127.0.0.1"])
    return folder


def start(broker: BrokerFolder, started: Started) -> None:
    """Run Mosquitto by what the folder says, beside the fixture's own listener."""
    text = (broker.path / "mosquitto.conf").read_text()
    started("\n".join(line for line in text.splitlines() if not line.startswith(("persist", "autosave", "max_queued"))))


@contextmanager
def served(broker: BrokerFolder) -> Iterator[None]:
    """Have a server's user subscribe, as a server does: what nobody listens for, a station keeps."""
    handed = broker.path / "handover" / ACCOUNT
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(ACCOUNT, (handed / "wildpost.env").read_text().strip().partition("=")[2])
    client.tls_set_context(ssl.create_default_context(cafile=str(handed / "ca.crt")))
    ready = threading.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.listeners.port)
    client.subscribe(subscription(broker.prefix), qos=1)
    client.loop_start()
    assert ready.wait(20)
    yield
    client.disconnect()
    stop_network_thread(client)


def states(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {finding["what"]: finding["state"] for finding in json.loads(ended.stdout)["findings"]}


def test_what_was_handed_over_is_all_that_a_station_needs(
    broker: BrokerFolder, mosquitto_with: Started, tmp_path: Path, shared_data: Path
) -> None:
    _, handed = broker.add_station("lake-07")
    start(broker, mosquitto_with)
    words = ["--name", "lake-07", "--deployment", "lake-07-a", "--latitude", "31.3", "--longitude", "117.2"]
    made = wildpost(tmp_path, "station", "init", tmp_path / "etc", *words, "--credentials", handed)
    assert made.returncode == 0, made.stderr
    settings = tmp_path / "etc" / "station.toml"
    # The network that looks at pictures is fetched from the Internet; here one that listens does.
    text = settings.read_text()
    settings.write_text(text.replace('detectors = ["vision"]\n# visit', 'detectors = ["threat"]\n# visit'))
    shutil.copy(shared_data / "samples" / "recordings" / "rain.ogg", tmp_path / "etc" / "captures")

    checked = wildpost(tmp_path, "station", "check", settings, "--json")
    assert checked.returncode == 0, checked.stdout
    found = states(checked)
    assert {found[what] for what in ("settings", "sensor camera", "encryption", "credentials", "rights")} == {"works"}

    with served(broker):
        ran = wildpost(tmp_path, "station", "run", settings, "--once", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.strip().splitlines()[-1])["events_sent"] == 1


def test_a_station_that_was_revoked_is_told_so(broker: BrokerFolder, mosquitto_with: Started, tmp_path: Path) -> None:
    _, handed = broker.add_station("lake-07")
    words = ["--name", "lake-07", "--deployment", "lake-07-a", "--credentials", handed]
    assert wildpost(tmp_path, "station", "init", tmp_path / "etc", *words).returncode == 0
    broker.remove("lake-07")
    start(broker, mosquitto_with)
    checked = wildpost(tmp_path, "station", "check", tmp_path / "etc" / "station.toml", "--json")
    assert checked.returncode == 1
    found = states(checked)
    assert (found["encryption"], found["credentials"]) == ("works", "fails")


def test_a_station_under_another_s_name_may_connect_and_not_speak(
    broker: BrokerFolder, mosquitto_with: Started, tmp_path: Path
) -> None:
    _, handed = broker.add_station("lake-07")
    start(broker, mosquitto_with)
    words = ["--name", "lake-07", "--deployment", "lake-07-a", "--credentials", handed]
    assert wildpost(tmp_path, "station", "init", tmp_path / "etc", *words).returncode == 0
    settings = tmp_path / "etc" / "station.toml"
    settings.write_text(settings.read_text().replace('\nname = "lake-07"', '\nname = "ridge-01"', 1))
    checked = wildpost(tmp_path, "station", "check", settings, "--json")
    assert checked.returncode == 1
    found = states(checked)
    assert (found["credentials"], found["rights"], "delivery" in found) == ("works", "fails", False)
