"""Stations as Home Assistant sees them: what it reads from a real broker, also when it comes later or we go."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract import Event, Health, Status, encode, new_event_id
from contract.errors import Undelivered
from contract.examples import EVENT, HEALTH, STATUS
from contract.supervision import Supervisor
from ingest.integrations.home_assistant import HomeAssistant, HomeAssistantOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received, StationState
from tests.conftest import Mosquitto
from tests.eventually import eventually
from tests.servers.listeners import listening

NOW = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    opened = DuckDbStore(tmp_path / "detections.duckdb")
    write(opened, EVENT, STATUS, HEALTH)
    yield opened
    opened.close()


def write(store: DuckDbStore, *records: Event | Status | Health) -> None:
    store.write([Received(one, encode(one), NOW) for one in records])


def home(mosquitto: Mosquitto, store: DuckDbStore) -> HomeAssistant:
    return HomeAssistant(HomeAssistantOptions(enabled=True, every_s=0.05), ReceiverOptions(port=mosquitto.port), store)


def retained(mosquitto: Mosquitto, *topics: str) -> dict[str, bytes]:
    """What someone hears who comes later."""
    with listening(mosquitto.port, "#") as heard:
        eventually(lambda: {one.topic for one in heard if one.retain} >= set(topics), f"{topics}")
    return {one.topic: bytes(one.payload) for one in heard if one.retain}


def word(mosquitto: Mosquitto) -> bytes:
    """What the server says, or has said, on its own topic."""
    with listening(mosquitto.port, "wildpost/home/status") as heard:
        eventually(lambda: heard, "any word of the server")
    return bytes(heard[0].payload)


CONFIG, STATE, SERVER = "homeassistant/device/wildpost_lake-07/config", "wildpost/home/lake-07", "wildpost/home/status"


def test_a_station_is_a_device_as_home_assistant_documents_it(mosquitto: Mosquitto, store: DuckDbStore) -> None:
    speaking = home(mosquitto, store)
    speaking.publish_changes()
    kept = retained(mosquitto, CONFIG, STATE, SERVER)
    device: dict[str, Any] = json.loads(kept[CONFIG])
    # Required by home-assistant.io/integrations/mqtt: device with identifiers, origin with a name, and components each
    # with its platform and a unique id.
    assert device["device"]["identifiers"] == ["wildpost_lake-07"]
    assert device["origin"]["name"] == "Wildpost"
    assert device["state_topic"] == STATE
    assert device["availability_topic"] == SERVER
    parts = device["components"]
    assert {part["platform"] for part in parts.values()} == {"sensor", "binary_sensor"}
    assert len({part["unique_id"] for part in parts.values()}) == len(parts) == 6
    assert parts["online"]["device_class"] == "connectivity"
    assert parts["temperature"]["unit_of_measurement"] == "°C"
    state = json.loads(kept[STATE])
    for part in parts.values():  # each template reads what is there
        assert part["value_template"].removeprefix("{{ value_json.").removesuffix(" }}") in state
    assert state["last_detection"] == "person"
    assert datetime.fromisoformat(state["last_capture"]) == EVENT.captured_at
    assert kept[SERVER] == b"online"
    speaking.stop()


def test_what_changes_is_said_and_what_does_not_is_not(mosquitto: Mosquitto, store: DuckDbStore) -> None:
    speaking = home(mosquitto, store)
    speaking.publish_changes()
    with listening(mosquitto.port, "wildpost/home/+") as heard:
        eventually(lambda: len(heard) >= 2, "what is retained")
        heard.clear()
        speaking.publish_changes()
        later = msgspec.structs.replace(
            EVENT, event_id=new_event_id(), captured_at=NOW, detections=EVENT.detections[1:]
        )
        write(store, later, msgspec.structs.replace(STATUS, station=EVENT.station, state="offline"))
        speaking.publish_changes()
        eventually(lambda: heard, "the change")
    (changed,) = heard
    assert json.loads(changed.payload) | {"last_detection": "animal", "online": "OFF"} == json.loads(changed.payload)
    speaking.stop()


def test_when_the_server_goes_home_assistant_is_told(mosquitto: Mosquitto, store: DuckDbStore) -> None:
    speaking = home(mosquitto, store)
    speaking.start()
    assert word(mosquitto) == b"online"
    speaking.stop()
    assert word(mosquitto) == b"offline"


def test_a_broker_that_forgot_is_told_again(mosquitto: Mosquitto, store: DuckDbStore) -> None:
    speaking = home(mosquitto, store)
    speaking.publish_changes()
    mosquitto.kill()
    (mosquitto.folder / "mosquitto.db").unlink(missing_ok=True)

    def refused() -> bool:
        try:
            speaking.publish_changes()
        except Undelivered:
            return True
        return False

    write(store, msgspec.structs.replace(EVENT, event_id=new_event_id()))
    eventually(refused, "the broker's absence to be noticed")
    mosquitto.start()
    speaking.publish_changes()
    assert set(retained(mosquitto, CONFIG, STATE, SERVER)) == {CONFIG, STATE, SERVER}
    speaking.stop()


def test_one_station_that_cannot_be_described_keeps_no_other_from_home_assistant(
    mosquitto: Mosquitto, store: DuckDbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, msgspec.structs.replace(STATUS, station="a-thief"), msgspec.structs.replace(STATUS, station="z-last"))
    device = HomeAssistant._device

    def failing(self: HomeAssistant, state: StationState) -> dict[str, Any]:
        if state.station == "a-thief":
            raise OverflowError("a defect at this station")
        return device(self, state)

    monkeypatch.setattr(HomeAssistant, "_device", failing)
    supervisor = Supervisor(0.05, 0.1)
    options = HomeAssistantOptions(enabled=True, every_s=0.05)
    speaking = HomeAssistant(options, ReceiverOptions(port=mosquitto.port), store, supervisor)
    speaking.start()
    eventually(lambda: supervisor.restarts["home-assistant"] > 1, "the thread to go on after failures")
    kept = retained(mosquitto, CONFIG, "homeassistant/device/wildpost_z-last/config")
    assert "homeassistant/device/wildpost_a-thief/config" not in kept
    assert "home-assistant failed" in supervisor.problem
    monkeypatch.undo()
    eventually(lambda: supervisor.problem == "", "it to work again")


def test_free_text_of_a_station_reaches_no_device(mosquitto: Mosquitto, store: DuckDbStore) -> None:
    lure = "visit http://evil.example"
    seen = msgspec.structs.replace(EVENT.detections[0], label=lure, scientific_name=lure, confidence=1.0)
    later = EVENT.captured_at + timedelta(minutes=1)
    event = msgspec.structs.replace(EVENT, event_id=new_event_id(), captured_at=later, detections=(seen,))
    write(store, event, msgspec.structs.replace(STATUS, version=lure, at=STATUS.at + timedelta(minutes=1)))
    speaking = home(mosquitto, store)
    speaking.publish_changes()
    told = retained(mosquitto, CONFIG, STATE)
    assert json.loads(told[STATE])["last_detection"] == "other"
    assert lure.encode() not in b"".join(told.values())
    speaking.stop()
