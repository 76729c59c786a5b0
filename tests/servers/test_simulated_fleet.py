"""`wildpost fleet simulate` sends through real transports: a broker, bundles, and a server's own intake."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from casebook.casebook import Casebook
from casebook.incidents.database import Database
from casebook.incidents.reader import IncidentReader
from contract import encode
from contract.errors import InvalidInput
from contract.examples import EVENT
from contract.mqtt import BrokerOptions, stop_network_thread
from contract.mqtt.connection import read_password
from ingest.rules.zones import read_zones
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery, Received
from tests.conftest import Mosquitto
from tests.eventually import eventually
from tests.repository import REPOSITORY
from wildpost.broker.folder import BrokerFolder
from wildpost.cli.main import main
from wildpost.settings.examples import EXAMPLES
from wildpost.settings.loader import load_settings
from wildpost.settings.server import ServerSettings
from wildpost.simulation.credentials import station_connections
from wildpost.simulation.fleet import fleet_messages
from wildpost.simulation.intake import REVIEWER, write_into
from wildpost.simulation.plan import FleetOptions, intervals_for, station_names
from wildpost.simulation.publishing import FleetPublisher

START = datetime(2026, 1, 31, 16, tzinfo=UTC)
SETTINGS = load_settings(EXAMPLES / "server.toml", ServerSettings)


def command(*options: str) -> dict[str, object]:
    found = subprocess.run(
        [sys.executable, "-m", "wildpost", "fleet", "simulate", *options, "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    return json.loads(found.stdout)  # type: ignore[no-any-return]


def test_a_broker_gets_every_message_once_and_keeps_the_status(mosquitto: Mosquitto) -> None:
    received: list[tuple[str, bytes]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda client, data, message: received.append((message.topic, bytes(message.payload)))
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe("wildpost/#", qos=1)
    client.loop_start()
    try:
        options = FleetOptions(station_names(2), START, 24)
        sent = [(one.topic, one.payload) for one in fleet_messages(options, read_zones(EXAMPLES / "zones.geojson"))]
        found = command(
            *("2", "--broker", f"127.0.0.1:{mosquitto.port}", "--from", "2026-02-01", "--speed", "0"),
        )
        assert found["messages"] == len(sent)
        eventually(lambda: len(received) >= len(sent) + 2)
        assert received[: len(sent)] == sent
        assert [json.loads(payload)["state"] for _, payload in received[len(sent) :]] == ["offline", "offline"]
    finally:
        client.disconnect()
        stop_network_thread(client)


class RecordedWaits(threading.Event):
    """An event that records for how long it is waited for, instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


def test_simulated_time_passes_at_the_given_speed(mosquitto: Mosquitto) -> None:
    plain = BrokerOptions(host="127.0.0.1", port=mosquitto.port)
    messages = list(fleet_messages(FleetOptions(station_names(1), START, 3)))
    now = START + timedelta(days=300)  # the time that it takes is not simulated
    for speed, expected_s in ((60.0, 3 * 60), (1.0, 3 * 3600)):
        waited = RecordedWaits()
        publisher = FleetPublisher({"sim-001": plain}, waited)
        publisher.publish(messages, speed, START, lambda: now)
        publisher.close()
        assert max(waited.waits) == pytest.approx(expected_s, rel=0.01)


def test_each_station_signs_in_with_its_own_credentials(tmp_path: Path) -> None:
    folder = BrokerFolder(tmp_path / "broker")
    folder.create(["broker.example"])
    passwords = {name: folder.add_station(name)[0] for name in station_names(2)}
    found = station_connections(tmp_path / "broker" / "handover", station_names(2), "127.0.0.1", 0)
    assert {name: options.username for name, options in found.items()} == {name: name for name in passwords}
    assert {name: read_password(options) for name, options in found.items()} == passwords
    assert all(options.tls and options.port == 8883 for options in found.values())
    with pytest.raises(InvalidInput, match="add-station sim-003"):
        station_connections(tmp_path / "broker" / "handover", station_names(3), "127.0.0.1", 0)


def test_a_bundle_brings_the_same_messages_as_the_intake(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    days = ("3", "--days", "2", "--from", "2026-02-01")
    written = command(*days, "--bundle", str(tmp_path / "stick"))
    assert len(written["bundles"]) == 3  # type: ignore[arg-type]
    direct = command(*days, "--into", str(tmp_path / "data"))
    assert direct["messages"] == written["messages"]
    taking = ("import", "bundle", str(tmp_path / "stick"), "--data", str(tmp_path / "data"))
    imported = subprocess.run(
        [sys.executable, "-m", "wildpost", *taking],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "0 refused" in imported.stdout
    with closing(DuckDbStore(tmp_path / "data" / "detections.duckdb", read_only=True)) as store:
        assert sum(one.events for one in store.stations()) == direct["captures"]


@pytest.fixture(scope="module")
def reserve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with forty simulated days of eight busy stations, and decisions on their captures."""
    folder = tmp_path_factory.mktemp("reserve")
    options = FleetOptions(station_names(8), START, 40 * 24, reports=intervals_for(40 * 24), busyness=2)
    messages = fleet_messages(options, read_zones(EXAMPLES / "zones.geojson"))
    written = write_into(folder, SETTINGS, EXAMPLES, messages, decide=True)
    assert written.counts.quarantined < 10
    assert written.decisions > 20
    return folder


def test_a_simulated_reserve_has_incidents_with_decisions(reserve: Path) -> None:
    with closing(Casebook(f"sqlite:///{reserve / 'casebook.sqlite'}")) as casebook:
        incidents = IncidentReader(Database(casebook.engine)).incidents(open_only=False, limit=500)
        assert any(one.is_open for one in incidents) and any(not one.is_open for one in incidents)
        with closing(DuckDbStore(reserve / "detections.duckdb", read_only=True)) as store:
            ids = [event.event_id for event in store.events(EventQuery(limit=5_000))]
        verdicts = [one for several in casebook.verdicts_of(ids).values() for one in several]
    assert {one.outcome for one in verdicts} == {"confirmed", "dismissed"}
    assert {one.classified_by for one in verdicts} == {REVIEWER}


def test_a_silent_and_a_blind_station_are_problems_at_the_end(reserve: Path) -> None:
    with closing(Casebook(f"sqlite:///{reserve / 'casebook.sqlite'}")) as casebook:
        problems = IncidentReader(Database(casebook.engine)).station_problems(limit=50)
    silent = {one.stations[0] for one in problems if "silent" in one.kinds}
    assert silent == {"sim-003"}
    assert "sim-005" in {one.stations[0] for one in problems if "blind" in one.kinds}


def test_nothing_is_simulated_into_the_data_of_real_stations(tmp_path: Path) -> None:
    with closing(DuckDbStore(tmp_path / "detections.duckdb")) as store:
        store.write([Received(EVENT, encode(EVENT), START)])
    messages = fleet_messages(FleetOptions(station_names(1), START, 24))
    with pytest.raises(InvalidInput, match="lake-07"):
        write_into(tmp_path, SETTINGS, EXAMPLES, messages, decide=False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("0", "--bundle", "."), "N 0: expected 1 to 1000"),
        (("1", "--bundle", ".", "--days", "0"), "--days 0: expected 1 to 3660"),
        (("1", "--bundle", ".", "--speed", "3"), "together with --broker only"),
        (("1", "--broker", "x", "--speed", "-1"), "--speed -1"),
        (("1", "--broker", "x:y"), "expected HOST or HOST:PORT"),
        (("1", "--bundle", ".", "--decide"), "together with --into only"),
    ],
)
def test_values_out_of_range_are_refused(
    options: Sequence[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "simulate", *options]) == 1
    assert problem in capsys.readouterr().err
