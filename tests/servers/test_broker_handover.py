"""Handed-over passwords are erased after use, and until then the command names them; no backup has them."""

import tarfile
import tomllib
from contextlib import closing
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest

from casebook.casebook import Casebook
from contract import topic_of
from contract.mqtt import make_client
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.diagnostics import check
from edge.transport.mqtt.publisher import Publisher
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.store.duckdb.store import DuckDbStore
from tests.conftest import free_port
from tests.eventually import eventually
from tests.servers.secured_broker import secured_broker, wildpost
from wildpost.backup.create import BackupPlan, make_backup
from wildpost.cli.main import main
from wildpost.settings.server import ServerSettings

CONSUMERS = ("wildpost-alert-reader", "wildpost-home-assistant", "wildpost-ingest", "wildpost-watch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "broker"
    assert wildpost("init", made, "--host", "h.example", "--port", free_port()).returncode == 0
    assert wildpost("add-station", made, "lake-07").returncode == 0
    return made


def test_a_password_is_named_until_it_is_erased(folder: Path) -> None:
    found = wildpost("check", folder)
    assert found.returncode == 1
    for user in ("lake-07", *CONSUMERS):
        assert f"wildpost broker handed-over {folder} {user}" in found.stdout
        erased = wildpost("handed-over", folder, user)
        assert (erased.returncode, "is erased" in erased.stdout) == (0, True)
    assert wildpost("check", folder).stdout == f"{folder}: nothing to do\n"
    assert wildpost("handed-over", folder, "lake-07").returncode == 1
    assert not list(folder.rglob("*.env"))


def test_a_station_that_is_set_up_erases_the_password_it_was_given(folder: Path, tmp_path: Path) -> None:
    given = folder / "handover" / "lake-07"
    password = (given / "wildpost.env").read_text()
    words = ["station", "init", str(tmp_path / "etc"), "--name", "lake-07", "--deployment", "lake-07-a"]
    assert main([*words, "--credentials", str(given)]) == 0
    assert (tmp_path / "etc" / "wildpost.env").read_text() == password
    assert not (given / "wildpost.env").exists()


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_readable_secret_is_named(folder: Path, mode: int) -> None:
    (folder / "dynamic-security.json").chmod(mode)
    assert "dynamic-security.json: mode 06" in wildpost("check", folder).stdout


def test_a_changed_configuration_is_named(folder: Path) -> None:
    with (folder / "mosquitto.conf").open("a") as file:
        file.write("allow_anonymous true\n")
    assert f"wildpost broker upgrade {folder}" in wildpost("check", folder).stdout
    assert wildpost("upgrade", folder).returncode == 0
    assert "upgrade" not in wildpost("check", folder).stdout


def test_a_server_on_another_machine_needs_a_client_certificate(tmp_path: Path) -> None:
    folder, port, server_port = tmp_path / "broker", free_port(), free_port()
    words = ("--host", "127.0.0.1", "--port", port, "--server-port", server_port, "--server-host", "0.0.0.0")  # noqa: S104, in a temporary folder
    assert wildpost("init", folder, *words).returncode == 0
    text = (folder / "mosquitto.conf").read_text()
    assert f"listener {server_port} 0.0.0.0\n" in text
    assert "require_certificate true" in text
    given = folder / "handover" / "wildpost-ingest"
    read = tomllib.loads((given / "broker.toml").read_text())["broker"]
    options = msgspec.convert(
        read
        | {f"{name}_file": str(given / f) for name, f in (("ca", "ca.crt"), ("certificate", "client.crt"))}
        | {"key_file": str(given / "client.key")},
        ReceiverOptions,
    )
    assert (options.host, options.port) == ("127.0.0.1", server_port)
    client = make_client(mqtt.Client, options, "x", keep_session=False)  # loads certificate and key
    assert isinstance(client, mqtt.Client)
    with pytest.raises(OSError, match="certificate_file"):
        make_client(mqtt.Client, msgspec.structs.replace(options, key_file="gone"), "x", keep_session=False)


def test_a_running_station_survives_its_check_and_is_not_reported_as_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with secured_broker(tmp_path) as broker, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", broker.password("lake-07"))
        options = broker.station_options()
        watch = broker.connect("wildpost-watch")
        statuses: list[bytes] = []
        watch.client.on_message = lambda *given: statuses.append(given[2].payload)
        watch.subscribe("wildpost/v1/+/+")
        publisher = Publisher(options, "lake-07", outbox)
        publisher.start()
        eventually(lambda: publisher.connected)

        found = {finding.what: finding.state for finding in check(options, "lake-07")}

        assert (found["credentials"], found["rights"], found["delivery"]) == ("works", "works", "works")
        eventually(lambda: publisher.connected, "the station's own connection")
        outbox.commit([OutboxMessage(topic_of("wildpost", "lake-07", "event"), b"1")])
        assert publisher.drain(60)
        assert not [payload for payload in statuses if b'"offline"' in payload]
        publisher.stop()
        watch.close()


def test_a_station_waits_longer_each_time_that_another_client_takes_over_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with secured_broker(tmp_path) as broker, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", broker.password("lake-07"))
        options = broker.station_options()
        publisher = Publisher(options, "lake-07", outbox)
        publisher.start()
        pauses_s = []
        for _ in range(3):
            eventually(lambda: publisher.connected)
            with closing(broker.connect("lake-07")) as thief:
                eventually(lambda: not publisher.connected)
                pauses_s.append(publisher._client._reconnect_min_delay)  # what paho waits before it connects again
                eventually(thief.lost.is_set)
        publisher.stop()
        for pause_s, doubled_s in zip(pauses_s, (2, 4, 8), strict=True):
            assert doubled_s / 2 <= pause_s <= doubled_s * 1.5
        assert "Is another station 'lake-07' running?" in caplog.text


def test_a_backup_has_the_brokers_files_but_no_handed_over_password(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    DuckDbStore(data / "detections.duckdb").close()
    Casebook(f"sqlite:///{data}/casebook.sqlite").close()
    password = (folder / "handover" / "lake-07" / "wildpost.env").read_bytes().partition(b"=")[2].strip()

    archive = tmp_path / "backup.tar"
    make_backup(BackupPlan(data, ServerSettings(), None, folder), archive)

    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert "broker/dynamic-security.json" in names
    assert not [name for name in names if "handover" in name]
    assert password not in archive.read_bytes()
