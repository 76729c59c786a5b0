"""The limits of the broker of `wildpost broker init` lose nothing: what it does not take stays with the station."""

import ssl
import tomllib
from contextlib import closing
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contract import encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.server_users import ACCOUNT
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.publisher import Publisher
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.pipeline import ReceivePipeline
from tests.conftest import free_port, mosquitto_program
from tests.eventually import eventually
from tests.noting import Noting, mqtt_pipeline
from tests.servers.secured_broker import Broker, wildpost

MANY = 1500  # more than Mosquitto queues without a configuration: 1,000


def server(broker: Broker, intake: Noting) -> ReceivePipeline:
    return mqtt_pipeline(broker.server_options(), intake)


def station(broker: Broker, outbox: Outbox) -> Publisher:
    options = broker.station_options(password_variable="STATION_SECRET", reconnect_max_s=2)
    return Publisher(options, "lake-07", outbox)


def test_everything_that_was_acknowledged_waits_for_an_absent_server(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_SECRET", broker.password(ACCOUNT))
    intake = Noting()
    first = server(broker, intake)
    first.start()
    first.stop()
    event = msgspec.structs.replace(EVENT, station="ridge-01")
    with closing(broker.connect("ridge-01")) as ridge:
        topic = topic_of("wildpost", "ridge-01", "event")
        sent = [
            ridge.client.publish(topic, encode(msgspec.structs.replace(event, event_id=new_event_id())), qos=1)
            for _ in range(MANY)
        ]
        for one in sent:
            one.wait_for_publish(60)

    second = server(broker, intake)
    second.start()
    try:
        eventually(lambda: len(intake.came) == MANY)
    finally:
        second.stop()


# paho leaves the socket of a TLS handshake that the broker broke off to the garbage collection.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_station_for_which_no_connection_is_free_keeps_its_messages(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = broker.folder / "mosquitto.conf"
    settings.write_text(settings.read_text().replace("max_connections 900", "max_connections 1"))
    broker.stop()
    broker.start()
    monkeypatch.setenv("BROKER_SECRET", broker.password(ACCOUNT))
    monkeypatch.setenv("STATION_SECRET", broker.password("lake-07"))
    intake = Noting()
    running = server(broker, intake)  # its own port has connections left
    running.start()
    with closing(broker.connect("ridge-01")), closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        lake = station(broker, outbox)
        payload = encode(msgspec.structs.replace(EVENT, station="lake-07"))
        outbox.commit([OutboxMessage(topic_of("wildpost", "lake-07", "event"), payload)])
        lake.start()
        eventually(lambda: lake.problem)
        assert len(outbox) == 1
        assert payload not in intake.came
        assert running.connected
        broker.stop()  # ends the connection of ridge-01, which does not come back
        broker.start()
        try:
            eventually(lambda: payload in intake.came)
        finally:
            lake.stop()
            running.stop()


def test_a_server_on_another_machine_is_let_in_by_its_certificate_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, port, server_port = tmp_path / "broker", free_port(), free_port()
    words = ("--host", "127.0.0.1", "--port", port, "--server-port", server_port, "--server-host", "0.0.0.0")  # noqa: S104
    assert wildpost("init", folder, *words).returncode == 0
    given = folder / "handover" / ACCOUNT
    read = tomllib.loads((given / "broker.toml").read_text())["broker"]
    files = {"ca_file": "ca.crt", "certificate_file": "client.crt", "key_file": "client.key"}
    options = msgspec.convert(read | {key: str(given / name) for key, name in files.items()}, ReceiverOptions)
    broker = Broker(folder, port, server_port, mosquitto_program())
    try:
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", broker.password(ACCOUNT))
        pipeline = mqtt_pipeline(options, Noting())
        pipeline.start()
        assert pipeline.connected
        pipeline.stop()
        assert wildpost("add-station", folder, "lake-07").returncode == 0  # by the stations' port
        with closing(broker.connect("lake-07")) as lake:
            assert lake.reasons == ["Success"]
        context = ssl.create_default_context(cafile=folder / "ca.crt")
        refused = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        refused.tls_set_context(context)
        refused.username_pw_set(ACCOUNT, broker.password(ACCOUNT))
        answered: list[str] = []
        refused.on_connect = lambda *given: answered.append(str(given[3]))
        ended: list[object] = []
        refused.on_disconnect = lambda *given: ended.append(given)
        refused.connect("127.0.0.1", server_port)
        refused.loop_start()
        eventually(lambda: ended)
        refused.loop_stop()
        assert answered == []
    finally:
        broker.stop()
