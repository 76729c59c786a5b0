"""Every MQTT connection of the server signs in with the same password, on a real broker that demands one."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from casebook.incidents.repository import Alert
from contract import encode
from contract.errors import Undelivered
from contract.examples import EVENT
from contract.mqtt import read_password
from ingest.alerts.mqtt_notifier import MqttAlertOptions, MqttNotifier
from ingest.alerts.port import Message, MessageText
from ingest.integrations.home_assistant import HomeAssistant, HomeAssistantOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import BrokerRefused, Receiver
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from tests.conftest import Mosquitto
from tests.noting import Noting
from tests.servers.conftest import wait_for
from tests.servers.listeners import listening

NOW = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
ALERT = Alert("a1", "incident-1", "event-1", "first", "human", "ridge-07", "urgent", NOW)
MESSAGE = Message(ALERT, {"en": MessageText("[Urgent] person", "person at night")}, "", {}, {"alert_id": "a1"})
BOTH_NAMED = "username 'server' .* neither password_file nor the environment variable BROKER_SECRET is set"


def server_at(broker: Mosquitto, **options: Any) -> ReceiverOptions:
    return ReceiverOptions(port=broker.port, username="server", password_variable="BROKER_SECRET", **options)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    opened = DuckDbStore(tmp_path / "detections.duckdb")
    opened.write([Received(EVENT, encode(EVENT), NOW)])
    yield opened
    opened.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_alert_uses_the_password_of_the_environment_variable(
    guarded: Mosquitto, monkeypatch: pytest.MonkeyPatch, protocol: Any
) -> None:
    monkeypatch.setenv("BROKER_SECRET", "right")
    notifier = MqttNotifier(MqttAlertOptions(enabled=True), server_at(guarded, protocol=protocol))
    with listening(guarded.port, "wildpost/alerts/#", "server", "right") as heard, closing(notifier):
        notifier.send(MESSAGE)
        wait_for(lambda: heard, "the alert")
    assert json.loads(heard[0].payload) == {"alert_id": "a1"}


def test_home_assistants_discovery_uses_the_password_of_the_environment_variable(
    guarded: Mosquitto, store: DuckDbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_SECRET", "right")
    home = HomeAssistant(HomeAssistantOptions(enabled=True), server_at(guarded), store)
    with listening(guarded.port, "homeassistant/#", "server", "right") as heard:
        try:
            home.publish_changes()
            wait_for(lambda: heard, "the discovery message")
        finally:
            home.stop()
    assert heard[0].topic == f"homeassistant/device/wildpost_{EVENT.station}/config"


def test_the_password_file_takes_precedence_over_the_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("BROKER_SECRET", "from the variable")
    variable = ReceiverOptions(password_variable="BROKER_SECRET")
    file = ReceiverOptions(password_variable="BROKER_SECRET", password_file=str(tmp_path / "secret"))
    assert [read_password(one) for one in (file, variable)] == ["from the file", "from the variable"]


def test_a_refusal_without_a_password_names_the_file_and_the_variable(
    guarded: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROKER_SECRET", raising=False)
    with pytest.raises(Undelivered, match=BOTH_NAMED):
        MqttNotifier(MqttAlertOptions(), server_at(guarded)).send(MESSAGE)
    with pytest.raises(BrokerRefused, match=BOTH_NAMED):
        Receiver(server_at(guarded), Noting()).start()


def test_a_refusal_of_a_password_says_nothing_of_a_missing_one(
    guarded: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_SECRET", "wrong")
    with pytest.raises(Undelivered, match=r"username 'server' and its password$"):
        MqttNotifier(MqttAlertOptions(), server_at(guarded)).send(MESSAGE)


def test_a_broker_without_passwords_accepts_a_username_alone(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROKER_SECRET", raising=False)
    notifier = MqttNotifier(MqttAlertOptions(), server_at(mosquitto))
    with listening(mosquitto.port, "wildpost/alerts/#") as heard, closing(notifier):
        notifier.send(MESSAGE)
        wait_for(lambda: heard, "the alert")


def test_an_unreadable_password_file_is_named(guarded: Mosquitto, tmp_path: Path) -> None:
    options = server_at(guarded, password_file=str(tmp_path / "gone"))
    with pytest.raises(Undelivered, match=r"password_file '.*gone': No such file"):
        MqttNotifier(MqttAlertOptions(), options).send(MESSAGE)
