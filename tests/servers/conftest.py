"""What tests with a real broker share: a publisher that knows what was acknowledged, and the intake as a process."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from contract.mqtt import stop_network_thread
from ingest.receive.mqtt.options import ReceiverOptions
from tests.conftest import Mosquitto
from tests.eventually import PATIENCE_S, eventually
from tests.repository import REPOSITORY
from tests.servers.listeners import Webhook
from tests.servers.secured_broker import Broker, secured_broker


class Publisher:
    """Publishes at QoS 1 and comes back when the broker has everything."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        sent = [self._client.publish(topic, payload, qos=1) for topic, payload in messages]
        for info in sent:
            info.wait_for_publish(PATIENCE_S)
            assert info.is_published()

    def close(self) -> None:
        self._client.disconnect()
        stop_network_thread(self._client)


class IntakeProcess:
    """The intake in a process of its own."""

    def __init__(self, folder: Path, options: ReceiverOptions) -> None:
        folder.mkdir(exist_ok=True)
        program = Path(__file__).with_name("intake_program.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program), str(folder), msgspec.json.encode(options).decode()],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: dict[str, Any] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, holds: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        def now() -> bool:
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                raise AssertionError(f"the intake ended: {self.process.stderr.read()}")
            return self.said is not None and bool(holds(self.said))

        eventually(now, f"{what}; last word: {self.said}")
        assert self.said is not None
        return self.said

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # killed while it spoke
                self.said = msgspec.json.decode(line)


@pytest.fixture
def publisher_to() -> Iterator[Callable[[int], Publisher]]:
    """Publishers to brokers by port."""
    opened: list[Publisher] = []

    def open_one(port: int) -> Publisher:
        opened.append(Publisher(port))
        return opened[-1]

    yield open_one
    for publisher in opened:
        publisher.close()


@pytest.fixture
def start_intake(tmp_path: Path) -> Iterator[Callable[[ReceiverOptions], IntakeProcess]]:
    """Starts the intake on one folder, as often as it is killed."""
    started: list[IntakeProcess] = []

    def start(options: ReceiverOptions) -> IntakeProcess:
        started.append(IntakeProcess(tmp_path / "server", options))
        return started[-1]

    yield start
    for process in started:
        if process.process.returncode is None:
            process.kill()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A web server that takes what Apprise's json:// sends."""
    opened = Webhook()
    yield opened
    opened.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker as `wildpost broker init` makes it, with two stations."""
    with secured_broker(tmp_path) as running:
        yield running


@pytest.fixture
def guarded(mosquitto_with: Callable[[str], Mosquitto], tmp_path: Path) -> Mosquitto:
    """A broker that lets in "server" with the password "right"."""
    program = shutil.which("mosquitto_passwd")
    assert program is not None, "mosquitto_passwd comes with mosquitto"
    subprocess.run([program, "-b", "-c", str(tmp_path / "passwords"), "server", "right"], check=True)
    return mosquitto_with(f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
