"""A revoked or replaced station password: what it queued for an absent server is quarantined, and nothing else is."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from contract import encode, new_event_id
from contract.examples import EVENT
from contract.server_users import ACCOUNT
from ingest.media.folder import FolderMedia
from ingest.rules.rule_set import RuleSet, RulesOptions
from ingest.service import IngestService
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from tests.eventually import eventually
from tests.servers.secured_broker import Broker, Client, wildpost


class Server:
    """A server's ingest with its data in one folder, which a test starts and stops."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._options = broker.server_options()
        self._folder = folder
        folder.mkdir()
        self.start()

    def start(self) -> None:
        self.store = DuckDbStore(self._folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{self._folder}/casebook.sqlite")
        media = FolderMedia(self._folder / "media")
        self._ingest = IngestService(
            self.store, self.casebook, media, RuleSet(RulesOptions(), ()), self._options, folder=self._folder
        )
        self._ingest.start()

    def stop(self) -> None:
        self._ingest.stop()
        self.casebook.close()
        self.store.close()

    def events(self, station: str) -> set[str]:
        return {event.event_id for event in self.store.events(EventQuery(stations=(station,), limit=1000))}

    def settled(self, count: int) -> None:
        eventually(lambda: self._ingest.state().taken.received >= count, f"{count} messages")

    def quarantined(self) -> list[tuple[str, str]]:
        return [(one.station, one.reason) for one in self.casebook.quarantined()]


@pytest.fixture
def server(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("BROKER_SECRET", broker.password(ACCOUNT))
    started = Server(broker, tmp_path / "data")
    yield started
    started.stop()


def publish(client: Client, station: str, count: int) -> set[str]:
    events = [msgspec.structs.replace(EVENT, station=station, event_id=new_event_id()) for _ in range(count)]
    for event in events:
        assert client.publish(f"wildpost/v1/{station}/event", encode(event)) == "Success"
    return {event.event_id for event in events}


def test_what_a_stolen_station_queued_for_an_absent_server_is_quarantined(broker: Broker, server: Server) -> None:
    server.stop()
    with closing(broker.connect("lake-07")) as thief, closing(broker.connect("ridge-01")) as ridge:
        publish(thief, "lake-07", 5)
        assert thief.publish("wildpost/v1/lake-07/status", b'{"forged": 1}', retain=True) == "Success"
        honest = publish(ridge, "ridge-01", 5)

        revoked = wildpost("revoke", broker.folder, "lake-07")

        assert revoked.returncode == 0, revoked.stderr
        assert thief.lost.wait(20)
    server.start()

    eventually(lambda: len(server.quarantined()) == 6)
    eventually(lambda: server.events("ridge-01") == honest)
    assert server.events("lake-07") == set()
    assert set(server.quarantined()) == {("lake-07", "revoked")}
    with closing(broker.connect("wildpost-watch")) as watch:
        watch.subscribe("wildpost/v1/+/status")
        watch.subscribe("wildpost/revoked/+")
        eventually(lambda: watch.received == ["wildpost/revoked/lake-07"], "the marker, and no retained status")


def test_what_was_published_under_a_replaced_password_is_quarantined_and_the_rest_is_stored(
    broker: Broker, server: Server
) -> None:
    server.stop()
    with closing(broker.connect("lake-07")) as thief:
        publish(thief, "lake-07", 5)
        assert wildpost("rotate", broker.folder, "lake-07").returncode == 0
    with closing(broker.connect("lake-07")) as station:  # with its new password
        own = publish(station, "lake-07", 5)
    server.start()
    eventually(lambda: server.events("lake-07") == own)
    assert server.quarantined() == [("lake-07", "revoked")] * 5

    server.stop()
    server.start()  # the marker was passed: nothing is refused a second time
    with closing(broker.connect("lake-07")) as station:
        own |= publish(station, "lake-07", 3)
    eventually(lambda: server.events("lake-07") == own)
    assert len(server.quarantined()) == 5


def test_a_station_added_again_after_its_revocation_is_stored(broker: Broker, server: Server) -> None:
    server.stop()
    with closing(broker.connect("lake-07")) as thief:
        publish(thief, "lake-07", 2)
    for words in (("revoke", broker.folder, "lake-07"), ("add-station", broker.folder, "lake-07")):
        assert wildpost(*words).returncode == 0
    with closing(broker.connect("lake-07")) as station:
        own = publish(station, "lake-07", 2)
    server.start()
    eventually(lambda: server.events("lake-07") == own)
    assert len(server.quarantined()) == 2


def test_a_running_server_stores_what_came_before_and_after(broker: Broker, server: Server) -> None:
    with closing(broker.connect("lake-07")) as station:
        before = publish(station, "lake-07", 2)
    eventually(lambda: server.events("lake-07") == before)
    assert wildpost("rotate", broker.folder, "lake-07").returncode == 0
    with closing(broker.connect("lake-07")) as station:
        after = publish(station, "lake-07", 2)
    eventually(lambda: server.events("lake-07") == before | after)
    assert server.quarantined() == []


def test_a_revocation_while_the_broker_is_stopped_is_completed_by_a_second_one(broker: Broker, server: Server) -> None:
    server.stop()
    with closing(broker.connect("lake-07")) as thief:
        publish(thief, "lake-07", 3)
    broker.stop()

    first = wildpost("revoke", broker.folder, "lake-07")
    assert first.returncode == 0
    assert "what lake-07 queued for the server is still accepted" in first.stdout
    assert "lake-07 was revoked or rotated while the broker did not run" in wildpost("check", broker.folder).stdout

    broker.start()
    second = wildpost("revoke", broker.folder, "lake-07")
    assert (second.returncode, second.stdout) == (0, "lake-07 can no longer connect\n")
    server.start()
    eventually(lambda: server.quarantined() == [("lake-07", "revoked")] * 3)
    assert server.events("lake-07") == set()


def test_the_markers_that_a_server_passed_are_in_a_file_for_itself_alone(
    broker: Broker, server: Server, tmp_path: Path
) -> None:
    assert wildpost("revoke", broker.folder, "lake-07").returncode == 0
    file = tmp_path / "data" / "revocations-wildpost-server.json"
    eventually(lambda: "lake-07" in json.loads(file.read_text()))
    assert file.stat().st_mode & 0o077 == 0
