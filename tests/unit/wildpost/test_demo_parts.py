"""The parts of the demo that can be looked at alone: its folder, its samples, its broker, the doctor."""

import sqlite3
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from contract.mqtt import stop_network_thread
from ingest.store.duckdb.store import DuckDbStore
from wildpost.cli.expected_errors import is_expected
from wildpost.cli.main import main
from wildpost.demo.demo import MARK, DemoFailed, copy_samples, fresh_folder
from wildpost.demo.embedded_broker import EmbeddedBroker
from wildpost.demo.samples import NoSamples, Samples, find_samples
from wildpost.doctor import diagnose
from wildpost.server.single_process import ANNOUNCED
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import SettingsError


def test_a_folder_that_is_not_the_demos_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoFailed, match="holds files of something other than a demo"), fresh_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_the_demos_own_folder_is_emptied(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo") as folder:
        (folder / "old").mkdir()
        (folder / "old" / "capture").write_text("x")
    with fresh_folder(folder):
        assert [file.name for file in folder.iterdir()] == [MARK]


def test_a_second_demo_leaves_the_one_that_runs_alone(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo") as folder:
        (folder / "server").mkdir()
        (folder / "server" / ANNOUNCED).write_text('{"url": "http://127.0.0.1:8420/"}')
        with pytest.raises(DemoFailed, match=r"another demo runs in .*8420.*--data DIR"), fresh_folder(folder):
            pass
        assert (folder / "server" / ANNOUNCED).exists()


def test_two_samples_of_one_name_are_both_shown(tmp_path: Path) -> None:
    files = [tmp_path / place / "IMG_0001.JPG" for place in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name)
    with fresh_folder(tmp_path / "demo") as folder:
        inboxes = copy_samples(Samples(tuple(files), (), "here"), folder)
    assert sorted(path.read_text() for path in inboxes["camera"].iterdir()) == ["a", "b"]


def test_samples_beside_the_user_go_before_any_download(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "fox.JPG").write_text("x")
    assert [file.name for file in find_samples(None, tmp_path, tmp_path / "cache").pictures] == ["fox.JPG"]


def test_a_folder_of_pictures_that_stations_do_not_read_is_refused_with_what_they_do(tmp_path: Path) -> None:
    (tmp_path / "fox.wmv").write_bytes(b"RIFF")
    with pytest.raises(NoSamples, match=r"no picture \(\.arw \.avif .*\), no film \(\.3gp \.avi .*1 \.wmv"):
        find_samples(tmp_path, tmp_path, tmp_path)


def test_a_missing_samples_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoSamples, match="no such folder"):
        find_samples(tmp_path / "nowhere", tmp_path, tmp_path)


def test_without_a_network_the_photographs_of_installed_packages_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDPOST_MODEL_MIRROR", "http://127.0.0.1:9")
    found = find_samples(None, tmp_path, tmp_path / "cache")
    assert found.pictures
    assert all(picture.is_file() for picture in found.pictures)
    assert "cannot be downloaded" in found.origin


def test_the_embedded_broker_hands_messages_on_and_acknowledges_them() -> None:
    arrived = threading.Event()
    with EmbeddedBroker() as broker:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="one", protocol=MQTTProtocolVersion.MQTTv311)
        client.on_message = lambda *_: arrived.set()
        client.connect("127.0.0.1", broker.port)
        subscribed = threading.Event()
        client.on_subscribe = lambda *_: subscribed.set()
        client.loop_start()
        client.subscribe("wildpost/+/+/+", 1)
        assert subscribed.wait(10)
        client.publish("wildpost/v1/a/event", b"x", qos=1).wait_for_publish(10)
        assert arrived.wait(10)
        client.disconnect()
        stop_network_thread(client)


def test_a_port_that_is_taken_is_named() -> None:
    with EmbeddedBroker() as first, pytest.raises(OSError, match=str(first.port)), EmbeddedBroker(first.port):
        pass


def test_the_data_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WILDPOST_DATA", str(tmp_path / "野哨"))
    assert data_folder() == tmp_path / "野哨"
    assert data_folder(tmp_path / "told") == tmp_path / "told"
    assert (tmp_path / "野哨").is_dir()


def test_a_data_folder_that_cannot_be_made_says_how_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"file/data: the data folder cannot be created \(Not a directory\).*--data DIR"):
        data_folder(tmp_path / "file" / "data")


def test_the_doctor_finds_a_broken_database_and_a_broker_that_is_away(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "good.sqlite").execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "bad.sqlite").write_bytes(b"not a database, for certain" * 100)
    found = {finding.subject: finding for finding in diagnose(tmp_path, ("127.0.0.1", 9))}
    assert found["database good.sqlite"].state == "good"
    assert found["database bad.sqlite"].state == "broken"
    assert found["broker"].state == "broken"
    assert found["weights yolox-nano"].state == "missing"
    assert all(finding.remedy for finding in found.values() if finding.state != "good")


def test_the_doctor_looks_into_the_detections(tmp_path: Path) -> None:
    DuckDbStore(tmp_path / "detections.duckdb").close()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "damaged.duckdb").write_bytes(b"no longer a database" * 1000)
    found = {finding.subject: finding for finding in diagnose(tmp_path, None)}
    assert found["database detections.duckdb"].state == "good"
    assert found["database damaged.duckdb"].state == "broken"


def test_the_doctor_tries_the_broker_of_a_servers_settings(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text('[broker]\nhost = "127.0.0.1"\nport = 9\n')
    found = {finding.subject: finding for finding in diagnose(tmp_path, None, tmp_path / "server.toml")}
    assert (found["broker"].state, found["broker"].detail[:12]) == ("broken", "127.0.0.1:9:")


def test_the_doctor_tells_a_path_whole_however_narrow_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    folder = tmp_path / ("a-long-name-of-a-folder-" * 4) / "[red]"
    main(["doctor", "--data", str(folder)])
    assert f"good     disk space: {folder}, " in capsys.readouterr().out


@pytest.mark.parametrize("broker", ["host:abc", "host:0", "host:1883:1", ":1883"])
def test_a_broker_that_cannot_be_meant_is_said_in_one_line(
    broker: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--data", str(tmp_path), "--broker", broker])
    assert f"{broker}: expected HOST or HOST:PORT" in capsys.readouterr().err


def test_what_a_person_can_mend_is_told_from_our_own_faults() -> None:
    assert is_expected(SettingsError("x"))
    assert is_expected(FileNotFoundError("x"))
    assert not is_expected(ValueError("x"))
