"""A station does what the server tells it, once, and answers; through a real broker, into a real casebook."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion

from casebook.incidents.database import Database
from casebook.station_commands import StationCommand, StationCommands
from contract import Event
from contract.commands import PART_BYTES
from contract.mqtt import stop_network_thread
from edge.capture.folder import FolderSource
from edge.event_chain import EventChain
from edge.link_budget import LinkBudget
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from edge.transport.mqtt.publisher import StationBrokerOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.remote.requests import ask_for_original
from ingest.store.port import EventQuery
from models.threat.voice import VoiceOptions
from tests.conftest import Mosquitto
from tests.eventually import PATIENCE_S, eventually
from tests.servers.test_station_delivery import Brightness, draw
from tests.signing import sealed
from wildpost.cli.main import main
from wildpost.command_keys import create_keys
from wildpost.server.assembly import RunningServer, run_server
from wildpost.settings.server import CommandOptions, ServerSettings
from wildpost.settings.station import SensorOptions, StationSettings
from wildpost.station.remote import remote_station

STATION = "ridge-07"


class Reserve:
    """A server and a station at one broker, both in this process; the station can be away."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.pictures = folder / "pictures"
        self.root_key = create_keys(folder / "keys", 10)
        self.restarts = threading.Event()
        self.voice = VoiceOptions()

    @contextmanager
    def server(self) -> Iterator[RunningServer]:
        settings = ServerSettings(
            broker=ReceiverOptions(port=self.port),
            commands=CommandOptions(signing_key=str(self.folder / "keys" / "commands-signing.json")),
        )
        data = self.folder / "server"
        data.mkdir(exist_ok=True)
        with run_server(settings, data, self.folder) as running:
            yield running

    @contextmanager
    def station(self) -> Iterator[Outbox]:
        """Run a station that watches the folder of pictures."""
        settings = StationSettings(
            station=StationOptions(name=STATION, deployment="a"),
            sensors=(SensorOptions(name="camera", source="folder", folder=str(self.pictures), detectors=("vision",)),),
            broker=StationBrokerOptions(port=self.port, reconnect_max_s=1),
            voice=self.voice,
        )
        remote = msgspec.structs.replace(settings.remote, root_key=self.root_key)
        settings = msgspec.structs.replace(settings, remote=remote)
        key_file = self.folder / "chain.key"
        if not key_file.exists():
            key_file.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        key = Ed25519PrivateKey.from_private_bytes(key_file.read_bytes())
        with closing(Outbox(self.folder / "outbox.sqlite")) as outbox:
            source = FolderSource(self.pictures, outbox.mark_of, UTC, None, 60)
            sensors = [Sensor("camera", source, [Brightness()], 60)]
            station = Station(settings.station, "wildpost", sensors, outbox, chain=EventChain(key, outbox))
            links = LinkBudget(settings.links, UTC, (), outbox)
            built = remote_station(settings, self.folder, station, outbox, links, key, {}, self.restarts.set)
            stop = threading.Event()
            thread = threading.Thread(target=station.run, args=(stop, False, self.folder))
            assert built.control is not None
            built.publisher.start()
            built.control.start()
            thread.start()
            try:
                yield outbox
            finally:
                stop.set()
                thread.join(PATIENCE_S)
                built.control.stop()
                built.publisher.stop()


@pytest.fixture
def reserve(mosquitto: Mosquitto, tmp_path: Path) -> Reserve:
    reserve = Reserve(tmp_path, mosquitto.port)
    draw(reserve.pictures, 1)
    return reserve


@pytest.fixture
def running(reserve: Reserve) -> Iterator[RunningServer]:
    with reserve.server() as running:
        yield running


def commands_of(running: RunningServer) -> StationCommands:
    return StationCommands(Database(running.casebook.engine))


def the_event(running: RunningServer) -> Event:
    eventually(lambda: bool(running.store.events(EventQuery())), "the capture arrives")
    return running.store.events(EventQuery())[0]


def in_state(running: RunningServer, number: int, state: str) -> StationCommand:
    def found() -> StationCommand:
        return next(one for one in commands_of(running).latest(limit=100) if one.number == number)

    eventually(lambda: found().state == state, f"command {number} is {state}; it is {found()}")
    return found()


def test_a_command_is_done_and_its_result_listed(
    reserve: Reserve, running: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with reserve.station():
        data = ["--data", str(reserve.folder / "server")]
        assert main(["command", STATION, "status", "--as", "field team 2", "--wait", "60", *data]) == 0
    out = capsys.readouterr().out
    result = json.loads(out[out.index("{") :])
    assert result["sensors"] == {"camera": "watching"} and result["health"]["station"] == STATION
    assert main(["commands", "list", *data]) == 0
    listed = capsys.readouterr().out
    assert f"status for {STATION}, asked by field team 2" in listed and "; done on" in listed


def test_a_command_waits_for_a_station_that_is_away(reserve: Reserve, running: RunningServer) -> None:
    with reserve.station():
        the_event(running)
    commands, now = commands_of(running), datetime.now(UTC)
    first = commands.ask(STATION, "status", "{}", "x", now, timedelta(hours=1))
    second = commands.ask(STATION, "restart-capture", "{}", "x", now, timedelta(hours=1))
    in_state(running, first.number, "sent")
    assert in_state(running, second.number, "asked").serial is None  # only after the first has an answer
    with reserve.station():
        in_state(running, first.number, "done")
        in_state(running, second.number, "accepted")
        eventually(reserve.restarts.is_set, "the station is told to restart its sensors")
    with reserve.station():
        assert "anew" in in_state(running, second.number, "done").detail


def test_a_command_that_nobody_answers_expires(reserve: Reserve, running: RunningServer) -> None:
    asked = commands_of(running).ask("ridge-99", "status", "{}", "x", datetime.now(UTC), timedelta(seconds=1))
    in_state(running, asked.number, "expired")


def test_an_original_comes_when_it_is_asked_for(reserve: Reserve, running: RunningServer) -> None:
    large = (reserve.pictures / "0000.jpg").read_bytes()
    large += bytes(3 * PART_BYTES)  # a trail of zeros, as some cameras write
    (reserve.pictures / "0000.jpg").write_bytes(large)
    with reserve.station() as outbox:
        event = the_event(running)
        asked = ask_for_original(commands_of(running), event, "a ranger", datetime.now(UTC))
        again = ask_for_original(commands_of(running), event, "another", datetime.now(UTC))
        assert again.number == asked.number
        in_state(running, asked.number, "done")
        assert outbox.remembered("transfers") == "[]"
    (entry,) = [one for one in running.casebook.media_of([event.event_id])[event.event_id] if one.role == "original"]
    with running.media.open(entry.sha256) as file:
        assert file.read() == large
    assert entry.sha256 == hashlib.sha256(large).hexdigest()


def test_an_original_goes_on_where_it_was_interrupted(reserve: Reserve, running: RunningServer) -> None:
    large = (reserve.pictures / "0000.jpg").read_bytes() + bytes(20 * PART_BYTES)
    (reserve.pictures / "0000.jpg").write_bytes(large)
    with ExitStack() as stack:
        outbox = stack.enter_context(reserve.station())
        event = the_event(running)
        asked = ask_for_original(commands_of(running), event, "a ranger", datetime.now(UTC))
        eventually(lambda: outbox.remembered("transfers") not in (None, "[]"), "the transfer begins")
    with closing(Outbox(reserve.folder / "outbox.sqlite")) as outbox:
        (left,) = json.loads(outbox.remembered("transfers") or "[]")
        assert 0 < left["offset"] < len(large)
    with reserve.station():
        in_state(running, asked.number, "done")
    with running.media.open(hashlib.sha256(large).hexdigest()) as file:
        assert file.read() == large


def test_an_original_that_was_deleted_is_gone(reserve: Reserve, running: RunningServer) -> None:
    with reserve.station():
        event = the_event(running)
        (reserve.pictures / "0000.jpg").unlink()
        asked = ask_for_original(commands_of(running), event, "a ranger", datetime.now(UTC))
        assert "does not have it any more" in in_state(running, asked.number, "gone").detail


def test_a_file_that_is_no_original_is_never_sent(reserve: Reserve, running: RunningServer) -> None:
    """The signing key may be stolen; a name in a request opens nothing."""
    secret = reserve.folder / "secret.txt"
    secret.write_bytes(b"password")
    with reserve.station():
        event = the_event(running)
        names = {"name": f"../../{secret.name}", "sha256": hashlib.sha256(b"password").hexdigest(), "size": 8}
        payload = {"event_id": event.event_id, "sensor": "camera", **names}
        asked = commands_of(running).ask(
            STATION, "media", json.dumps(payload), "thief", datetime.now(UTC), timedelta(hours=1)
        )
        in_state(running, asked.number, "gone")


def test_forged_envelopes_change_nothing_and_are_reported(reserve: Reserve, running: RunningServer) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", reserve.port)
    client.loop_start()
    try:
        with reserve.station() as outbox:
            the_event(running)
            for data in (
                b"{",
                b"x" * 100_000,
                sealed(station=STATION, kind="restart-capture", issued=datetime.now(UTC)),
            ):
                client.publish(f"wildpost/v1/{STATION}/command", data, qos=1).wait_for_publish(PATIENCE_S)
            eventually(lambda: bool(running.casebook.quarantined()), "the report arrives")
            assert outbox.remembered("remote") is None
    finally:
        client.disconnect()
        stop_network_thread(client)
    (report,) = running.casebook.quarantined()
    assert (report.station, report.name) == (STATION, "command") and "is ignored" in report.detail
    assert not reserve.restarts.is_set()


def test_the_server_does_not_take_what_it_tells_stations_for_messages(reserve: Reserve, running: RunningServer) -> None:
    commands_of(running).ask("ridge-99", "status", "{}", "x", datetime.now(UTC), timedelta(hours=1))
    eventually(lambda: commands_of(running).latest()[0].state == "sent", "it is sent")
    with reserve.station():
        the_event(running)
    assert running.casebook.quarantined() == []
