"""What a station captures arrives once: the broker stops, refuses, forbids; the station is killed; nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import cv2
import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from msgspec import UNSET
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from captures.picture import read_picture
from contract import Detection, Event, MediaContent, Model, SetAside, Status, decode, encode
from contract.codec import Record
from contract.event_chain import ChainLink
from contract.examples import EVENT
from contract.mqtt import stop_network_thread
from edge.capture.folder import FolderSource
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from edge.transport.mqtt import takeover
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from models.download import install
from models.registry import load_registry
from tests.eventually import eventually

OPTIONS = StationOptions(name="ridge-07", deployment="ridge-07-a", utc_offset="+08:00")


class Brightness:
    """A detector that finds something wherever a picture is not black; small, and real."""

    model = Model(name="brightness", version="1", sha256="1" * 64)

    def preprocess(self, item: Any) -> float:
        return float(read_picture(item, 64).pixels.mean()) / 255

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        return [
            [Detection(ordinal=0, label="light", observation_type="unknown", confidence=value, model="brightness")]
            for value in batch
        ]


def draw(folder: Path, count: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        pixels = np.full((120, 160, 3), 30 + number % 200, np.uint8)
        cv2.putText(pixels, str(number), (10, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 3)
        assert cv2.imwrite(str(folder / f"{number:04}.jpg"), pixels)
    return [f"{number:04}.jpg" for number in range(count)]


class Ear:
    """Hears everything that reaches the broker, through a persistent session of its own."""

    def __init__(self, port: int, **login: str) -> None:
        self.records: list[Record] = []
        subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear", protocol=MQTTProtocolVersion.MQTTv5)
        if login:
            self._client.username_pw_set(login["username"], login["password"])
        self._client.on_message = lambda _c, _d, message: self.records.append(
            decode(message.topic, bytes(message.payload))
        )
        self._client.on_connect = lambda client, *_: client.subscribe("wildpost/+/+/+", 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.reconnect_delay_set(1, 1)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert subscribed.wait(10)

    def events(self) -> list[Event]:
        return [record for record in self.records if isinstance(record, Event)]

    def statuses(self) -> list[Status]:
        return [record for record in self.records if isinstance(record, Status)]

    def close(self) -> None:
        self._client.disconnect()
        stop_network_thread(self._client)


@contextmanager
def station(folder: Path, outbox: Outbox, broker: StationBrokerOptions) -> Iterator[Publisher]:
    """Work off a folder in a station, and keep its publisher running."""
    source = FolderSource(folder, outbox.mark_of, UTC, None, 60)
    publisher = Publisher(broker, OPTIONS.name, outbox)
    publisher.start()
    try:
        Station(OPTIONS, broker.prefix, [Sensor("camera", source, [Brightness()], 60)], outbox).run(
            threading.Event(), once=True, folder=folder
        )
        yield publisher
    finally:
        publisher.stop()


def originals(events: Sequence[Event]) -> list[str]:
    return sorted(media.name for event in events for media in event.media if media.role == "original")


def test_every_picture_arrives_once_with_its_thumbnail(mosquitto: Any, tmp_path: Path) -> None:
    names = draw(tmp_path / "in", 30)
    with closing(Ear(mosquitto.port)) as ear, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        with station(tmp_path / "in", outbox, StationBrokerOptions(port=mosquitto.port)) as publisher:
            assert publisher.drain(30)
        eventually(lambda: sum(isinstance(record, MediaContent) for record in ear.records) == len(names))
        assert originals(ear.events()) == names
        thumbnails = {record.sha256 for record in ear.records if isinstance(record, MediaContent)}
        assert {
            media.sha256 for event in ear.events() for media in event.media if media.role == "thumbnail"
        } == thumbnails
        assert len(outbox) == 0


def test_a_broker_that_stops_half_way_and_comes_back_gets_everything(mosquitto: Any, tmp_path: Path) -> None:
    names = draw(tmp_path / "in", 200)
    with closing(Ear(mosquitto.port)) as ear, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:

        def interrupt() -> None:
            with suppress(AssertionError):
                eventually(lambda: len(ear.events()) >= 20, timeout_s=30)
            mosquitto.stop()
            time.sleep(1)
            mosquitto.start()

        interruption = threading.Thread(target=interrupt)
        interruption.start()
        with station(
            tmp_path / "in", outbox, StationBrokerOptions(port=mosquitto.port, reconnect_max_s=1)
        ) as publisher:
            interruption.join()
            assert publisher.drain(60)
            eventually(lambda: len(set(originals(ear.events()))) == len(names))
        ids = {event.event_id for event in ear.events()}
        assert len(ids) == len(names), "a message may be delivered again, but it is the same event"
        assert sorted(set(originals(ear.events()))) == names


def test_what_a_killed_broker_had_acknowledged_and_not_saved_arrives(mosquitto_with: Any, tmp_path: Path) -> None:
    broker = mosquitto_with("allow_anonymous true\nautosave_on_changes false\nautosave_interval 3600\n")
    Ear(broker.port).close()  # its session is to be saved, and nothing of what comes for it
    broker.stop()
    broker.start()
    names = draw(tmp_path / "in", 20)
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        options = StationBrokerOptions(port=broker.port, reconnect_max_s=1)
        with station(tmp_path / "in", outbox, options) as publisher:
            assert publisher.drain(30), "all is acknowledged"
            broker.kill()
            broker.start()
            eventually(lambda: publisher.connected)
            eventually(lambda: len(outbox) > 0)
            assert publisher.drain(30)
            with closing(Ear(broker.port)) as ear:
                eventually(lambda: originals(ear.events()) == names)
                eventually(lambda: sum(isinstance(one, MediaContent) for one in ear.records) == len(names))


def test_what_nobody_listens_for_is_kept_until_somebody_does(mosquitto: Any, tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        outbox.commit([small()])
        publisher = Publisher(StationBrokerOptions(port=mosquitto.port, reconnect_max_s=1), "ridge-07", outbox)
        publisher.start()
        try:
            eventually(lambda: "no server subscribes" in publisher.problem)
            assert "wildpost/v1/ridge-07/event" in publisher.problem
            assert len(outbox) == 1, "the broker answers with success, and lets it go"
            with closing(Ear(mosquitto.port)) as ear:
                assert publisher.drain(30)
                eventually(lambda: len(ear.events()) == 1)
            assert publisher.problem == ""
        finally:
            publisher.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_two_stations_of_one_name_say_so_until_one_of_them_ends(
    protocol: Literal["5", "3.1.1"],
    mosquitto: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(takeover, "_STEADY_MIN_S", 4.0)
    with (
        closing(Outbox(tmp_path / "one.sqlite")) as one,
        closing(Outbox(tmp_path / "two.sqlite")) as two,
        closing(Ear(mosquitto.port)) as ear,
        caplog.at_level("INFO", "wildpost.publisher"),
    ):
        options = StationBrokerOptions(port=mosquitto.port, reconnect_max_s=1, protocol=protocol)
        publishers = [Publisher(options, "ridge-07", outbox) for outbox in (one, two)]
        one.commit([small()])
        two.commit([small()])
        for publisher in publishers:
            publisher.start()
        try:
            eventually(lambda: all("another station 'ridge-07'" in each.problem for each in publishers))
            eventually(lambda: any(status.name_contested for status in ear.statuses()), "the server is told")
            before = len(caplog.records)
            time.sleep(5)
            assert len(caplog.records) == before, "nothing is logged while they go on to take turns"
            eventually(lambda: len(one) == len(two) == 0, "both send what waits in their turns")
            publishers[1].stop()
            eventually(lambda: publishers[0].problem == "")
            eventually(lambda: ear.statuses()[-1].name_contested is UNSET and ear.statuses()[-1].state == "online")
        finally:
            for publisher in publishers:
                publisher.stop()
        said = [one.getMessage() for one in caplog.records]
        assert len([text for text in said if "again and again" in text]) == 2
        assert len([text for text in said if "no other client" in text]) == 1


def test_a_refused_password_is_named_and_nothing_leaves_the_outbox(
    mosquitto_with: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "ridge-07", "right"], check=True)
    passwords.chmod(0o600)
    broker = mosquitto_with(f"allow_anonymous false\npassword_file {passwords}\n")
    draw(tmp_path / "in", 3)
    options = StationBrokerOptions(port=broker.port, username="ridge-07", reconnect_max_s=1)
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "wrong")
        with station(tmp_path / "in", outbox, options) as publisher:
            eventually(lambda: "refused" in publisher.problem)
            assert str(broker.port) in publisher.problem
            assert not publisher.connected
        kept = len(outbox)
        assert kept >= 6
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "right")
        with closing(Ear(broker.port, username="ridge-07", password="right")) as ear:
            with station(tmp_path / "in", outbox, options) as publisher:
                assert publisher.drain(30)
            eventually(lambda: len(ear.events()) == 3)


def test_a_forbidden_topic_keeps_its_messages_until_the_right_is_given(mosquitto_with: Any, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic read #\n")
    broker = mosquitto_with(f"allow_anonymous true\nacl_file {rights}\n")
    draw(tmp_path / "in", 2)
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        with station(tmp_path / "in", outbox, StationBrokerOptions(port=broker.port)) as publisher:
            eventually(lambda: "refused a message" in publisher.problem)
            assert not publisher.drain(1)
        rights.write_text("topic readwrite #\n")
        broker.stop()
        broker.start()
        with (
            closing(Ear(broker.port)) as ear,
            station(tmp_path / "in", outbox, StationBrokerOptions(port=broker.port)) as publisher,
        ):
            assert publisher.drain(30)
            eventually(lambda: len(ear.events()) == 2, "acknowledged to us, then given to whoever listens")


def test_what_is_too_large_for_the_broker_is_set_aside_reported_and_holds_up_nothing(
    mosquitto_with: Any, tmp_path: Path
) -> None:
    broker = mosquitto_with("allow_anonymous true\nmax_packet_size 20000\n")
    topic = "wildpost/v1/ridge-07/"
    with closing(Ear(broker.port)) as ear, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        large = [OutboxMessage(f"{topic}event", b"x" * 30_000) for _ in range(30)]  # more than may be under way
        outbox.commit([*large, OutboxMessage(f"{topic}media", b"y" * 30_000, 3, media=True), small()])
        publisher = Publisher(StationBrokerOptions(port=broker.port), "ridge-07", outbox)
        publisher.start()
        try:
            assert publisher.drain(30)
        finally:
            publisher.stop()
        eventually(lambda: len(ear.events()) == 1)
        eventually(lambda: sum(isinstance(record, SetAside) for record in ear.records) == 31)
        kept = outbox.unsendable()
        assert [(one[0], len(one[1])) for one in kept] == [(f"{topic}event", 30_000)] * 30 + [(f"{topic}media", 0)]
        assert "at most 20000" in kept[0][2]
        assert outbox.count("unsendable") == 31


def test_a_forbidden_topic_holds_up_no_other(mosquitto_with: Any, tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic read #\ntopic write wildpost/v1/ridge-07/event\ntopic write wildpost/v1/ridge-07/status\n")
    broker = mosquitto_with(f"allow_anonymous true\nacl_file {rights}\n")
    with closing(Ear(broker.port)) as ear, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        forbidden = [
            OutboxMessage("wildpost/v1/ridge-07/health", b"{}") for _ in range(20)
        ]  # more than may be under way
        outbox.commit([*forbidden, replace(small(), priority=3)])
        publisher = Publisher(StationBrokerOptions(port=broker.port, in_flight=4), "ridge-07", outbox)
        publisher.start()
        try:
            eventually(lambda: len(ear.events()) == 1)
            assert "refused a message" in publisher.problem
        finally:
            publisher.stop()
        kept = [message for message in outbox.waiting(99) if message.topic.endswith("health")]
        assert len(kept) == 20, "what is forbidden is kept until the right is given"


def small() -> OutboxMessage:
    event = msgspec.structs.replace(EVENT, station="ridge-07")
    return OutboxMessage("wildpost/v1/ridge-07/event", encode(event))


def test_a_station_killed_while_it_works_takes_up_every_picture_once(
    mosquitto: Any, shared_data: Path, tmp_path: Path
) -> None:
    names = draw(tmp_path / "in", 120)
    (tmp_path / "in" / "0000.jpg").write_bytes(b"no picture")
    install(
        load_registry()["yolox-nano"],
        shared_data / "weights" / "yolox_nano_416_coco.onnx",
        tmp_path / "data" / "models",
    )
    settings = tmp_path / "station.toml"
    settings.write_text(
        '[station]\nname = "ridge-07"\ndeployment = "ridge-07-a"\n'
        f"[broker]\nport = {mosquitto.port}\n"
        '[[sensors]]\nname = "camera"\nsource = "folder"\nfolder = "in"\ndetectors = ["vision"]\n'
    )
    command = [sys.executable, "-m", "wildpost", "station", "run", str(settings), "--once", "--json"]
    environment = os.environ | {"WILDPOST_DATA": str(tmp_path / "data"), "PYTHONPATH": str(Path.cwd())}
    seed = random.randrange(1000)
    chance = random.Random(seed)
    with closing(Ear(mosquitto.port)) as ear:
        for _ in range(4):
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seen = len(ear.records)
            with suppress(AssertionError):  # fewer may be left
                eventually(lambda seen=seen: len(ear.records) > seen + chance.randrange(3, 25), timeout_s=30)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["station"] == "ridge-07"
        eventually(lambda: len(set(originals(ear.events()))) == len(names) - 1, f"seed {seed}")
        by_name = {
            name: {event.event_id for event in ear.events() if originals([event]) == [name]} for name in names[1:]
        }
        assert all(len(ids) == 1 for ids in by_name.values()), f"seed {seed}: a picture became two events"
        reports = {record.report_id: record for record in ear.records if isinstance(record, SetAside)}
        assert [report.name for report in reports.values()] == ["0000.jpg"]
        places = {event.chain.number for event in ear.events() if isinstance(event.chain, ChainLink)}
        assert places == set(range(1, len(names))), f"seed {seed}: a kill left a hole in the chain of events"
