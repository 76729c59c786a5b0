"""A real Mosquitto run from the files of `wildpost broker init`, and connections to it."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.mqtt import stop_network_thread
from contract.server_users import ACCOUNT
from edge.transport.mqtt.publisher import StationBrokerOptions
from ingest.receive.mqtt.options import ReceiverOptions
from tests.conftest import free_port, mosquitto_program
from tests.eventually import eventually
from tests.listening import listens

STATIONS = ("lake-07", "ridge-01")


class Broker:
    """A Mosquitto run from the files that the command made."""

    def __init__(self, folder: Path, port: int, server_port: int, program: str) -> None:
        self.folder, self.port, self.server_port, self.program = folder, port, server_port, program
        self.start()

    def start(self) -> None:
        text = (self.folder / "mosquitto.conf").read_text()
        changed = self.folder.parent / "mosquitto.conf"
        changed.write_text(text.replace("/var/lib/mosquitto/", f"{self.folder.parent}/") + "user root\n")
        with (self.folder.parent / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([self.program, "-c", str(changed)], stdout=log, stderr=log)
        eventually(lambda: self.listens() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    @property
    def log(self) -> str:
        return (self.folder.parent / "mosquitto.log").read_text()

    def listens(self) -> bool:
        return all(listens(port) for port in (self.port, self.server_port))

    def password(self, user: str) -> str:
        text = (self.folder / "handover" / user / "wildpost.env").read_text()
        return text.strip().removeprefix("WILDPOST_BROKER_PASSWORD=")

    def server_options(self, **changed: Any) -> ReceiverOptions:
        """Settings of the server, at its own port, whose password is in the variable BROKER_SECRET."""
        options = ReceiverOptions(
            host="127.0.0.1",
            port=self.server_port,
            username=ACCOUNT,
            tls=True,
            ca_file=str(self.folder / "ca.crt"),
            password_variable="BROKER_SECRET",
        )
        return msgspec.structs.replace(options, **changed)

    def station_options(self, **more: Any) -> StationBrokerOptions:
        """Settings of the station lake-07."""
        return StationBrokerOptions(
            host="127.0.0.1",
            port=self.port,
            username="lake-07",
            tls=True,
            ca_file=str(self.folder / "ca.crt"),
            **more,
        )

    def connect(self, user: str, password: str | None = None, **options: Any) -> "Client":
        return Client(self, user, self.password(user) if password is None else password, **options)


class Client:
    """One connection, what it was told and what it received; it does not connect again by itself."""

    def __init__(
        self,
        broker: Broker,
        user: str,
        password: str,
        *,
        client_id: str = "",
        keep_session: bool = False,
        will: tuple[str, bytes] | None = None,
        port: int = 0,
    ) -> None:
        self.reasons: list[str] = []
        self.received: list[str] = []
        self.assigned_id = ""
        self.lost = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        self.client.username_pw_set(user, password)
        self.client.tls_set_context(ssl.create_default_context(cafile=broker.folder / "ca.crt"))
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.on_message = lambda *arguments: self.received.append(arguments[2].topic)
        if will:
            self.client.will_set(*will, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600 if keep_session else 0
        self.client.connect("127.0.0.1", port or broker.port, clean_start=not keep_session, properties=properties)
        self.client.loop_start()
        eventually(lambda: bool(self.reasons))

    def publish(self, topic: str, payload: bytes = b"{}", retain: bool = False) -> str:
        """Publish at QoS 1 and return the broker's answer; "lost" if it ends the connection instead."""
        told: list[str] = []
        self.client.on_publish = lambda *arguments: told.append(str(arguments[3]))
        self.client.publish(topic, payload, qos=1, retain=retain)
        eventually(lambda: bool(told) or self.lost.is_set())
        return told[0] if told else "lost"

    def subscribe(self, topic: str) -> str:
        told: list[str] = []
        self.client.on_subscribe = lambda *arguments: told.append(str(arguments[3][0]))
        self.client.subscribe(topic, qos=1)
        eventually(lambda: bool(told))
        return told[0]

    def vanish(self) -> None:
        """End the connection without a word, so that the broker publishes the last will."""
        line = self.client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        assert self.lost.wait(20)
        stop_network_thread(self.client)

    def close(self) -> None:
        self.client.disconnect()
        stop_network_thread(self.client)

    def _on_connect(self, client: object, data: object, flags: object, reason: object, properties: object) -> None:
        self.assigned_id = getattr(properties, "AssignedClientIdentifier", "")
        self.reasons.append(str(reason))


def wildpost(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wildpost", "broker", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def secured_broker(tmp_path: Path) -> Iterator[Broker]:
    """Create a broker's folder by the command, with two stations, and run a Mosquitto from it."""
    program = mosquitto_program()
    folder, port, server_port = tmp_path / "broker", free_port(), free_port()
    made = wildpost(
        *("init", folder, "--host", "127.0.0.1", "--host", "reserve.example", "--port", port),
        *("--server-port", server_port),
    )
    assert made.returncode == 0, made.stderr
    for station in STATIONS:
        assert wildpost("add-station", folder, station).returncode == 0
    running = Broker(folder, port, server_port, program)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
