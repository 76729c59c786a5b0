"""Two servers never take messages from each other: each has a name of its own, or the second one does not start."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract import encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.server_users import ACCOUNT
from ingest.receive.message_buffer import MessageBuffer
from ingest.receive.mqtt.options import CLIENT_ID, ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.mqtt.session_check import SessionInUse, check_session
from tests.eventually import eventually
from tests.servers.conftest import Publisher
from tests.servers.test_serve import WILDPOST, health, running, serving, told
from wildpost.server.server_lock import server_lock
from wildpost.settings.installation import FILE, installation


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def publish(port: int, count: int) -> None:
    publisher = Publisher(port)
    events = [msgspec.structs.replace(EVENT, event_id=new_event_id()) for _ in range(count)]
    publisher.publish([(topic_of("wildpost", EVENT.station, "event"), encode(event)) for event in events])
    publisher.close()


def test_two_servers_with_a_data_folder_each_both_receive_everything(mosquitto: Any, tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    with serving(one, mosquitto.port) as (_, first), serving(two, mosquitto.port) as (_, second):
        publish(mosquitto.port, 40)
        eventually(lambda: health(first)["events"] == health(second)["events"] == 40, "both have all captures")
    assert installation(one).client_id != installation(two).client_id


def test_a_server_is_started_again_under_the_same_name_and_gets_what_was_queued(mosquitto: Any, tmp_path: Path) -> None:
    def stored(url: str, count: int) -> None:
        eventually(lambda: health(url)["events"] == count, f"{count} captures are stored")

    for before in (0, 5):
        with serving(tmp_path, mosquitto.port) as (process, url):
            stored(url, before)
            publish(mosquitto.port, 5)
            stored(url, before + 5)
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_second_server_on_the_same_session_does_not_start_and_takes_nothing(
    mosquitto: Any, tmp_path: Path, protocol: str
) -> None:
    one, copy = folder(tmp_path / "one"), folder(tmp_path / "copy")
    settings = one / "server.toml"
    settings.write_text(f'[broker]\nport = {mosquitto.port}\nprotocol = "{protocol}"\n[web]\nport = 0\n')
    with running([*WILDPOST, "serve", str(settings), "--data", str(one)], one) as (_, url):
        shutil.copy(one / FILE, copy / FILE)
        sending = threading.Thread(target=publish, args=(mosquitto.port, 60))
        sending.start()
        refused = told("serve", str(settings), "--port", "0", "--data", str(copy))
        sending.join()
        assert refused.returncode == 1
        assert "another server is connected as" in refused.stderr
        assert "Traceback" not in refused.stderr
        eventually(lambda: health(url)["events"] == 60, "the first server has all captures")
        eventually(lambda: not health(url)["problem"], "the first server is connected again")


def test_a_second_server_with_the_same_data_folder_does_not_start(mosquitto: Any, tmp_path: Path) -> None:
    with serving(tmp_path, mosquitto.port):
        refused = told("serve", str(tmp_path / "server.toml"), "--data", str(tmp_path))
        assert refused.returncode == 1
        assert "another `wildpost serve` runs with this data folder" in refused.stderr


def test_a_second_ingest_with_the_same_data_folder_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "server.toml").touch()
    with server_lock(tmp_path, "ingest"):
        refused = told("ingest", str(tmp_path / "server.toml"), "--data", str(tmp_path))
    assert refused.returncode == 1
    assert "another `wildpost ingest` runs with this data folder" in refused.stderr


def test_at_a_broker_of_broker_init_the_second_server_is_found_too(
    broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_SECRET", broker.password(ACCOUNT))
    options = broker.server_options(client_id="wildpost-server-1234")
    check_session(options)  # there is no session yet
    receiver = Receiver(options)
    receiver.start(MessageBuffer(100, 1_000_000), threading.Event(), 10)
    with pytest.raises(SessionInUse, match="wildpost-server-1234"):
        check_session(options)
    eventually(lambda: receiver.connected, "the first server is connected again")
    receiver.stop()
    check_session(options, watch_s=0.2)  # nobody uses the session any more


def test_no_broker_is_no_other_server() -> None:
    check_session(ReceiverOptions(port=1, client_id="wildpost-server-1234"))


def test_an_installation_of_an_earlier_version_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "casebook.sqlite").touch()
    assert installation(tmp_path).client_id == CLIENT_ID
    (tmp_path / "casebook.sqlite").unlink()
    assert installation(tmp_path).client_id == CLIENT_ID
    stored = json.loads((tmp_path / FILE).read_text())
    assert stored == {"id": installation(tmp_path).id, "client_id": CLIENT_ID}
